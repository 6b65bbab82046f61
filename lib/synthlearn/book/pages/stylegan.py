"""The page on random StyleGANs: banks of kernels, maps of noise, and an image that grows."""

import torch
from torch import Tensor

from ...core import rng
from ...core.image import to_tiles
from ...generators import generator, stylegan, stylegan_network, stylegan_noise, stylegan_tied
from ..html import Html
from ..sheets import enlarge, grey, labelled, slider

IMAGE = 5  # of the oriented set, that grows; chosen here
SIDE = 128  # pixels of what is shown; chosen here
TIMES = 10  # a kernel's taps are enlarged so often
COLUMNS = 8  # of kernels
MAPS = 2  # of noise, of each kind
# of a kernel's taps, apart from the page's ground in light and dark: −1, 0 and 1
NEGATIVE, NOTHING, POSITIVE = (0, 114, 178), (150, 150, 150), (230, 159, 0)


def banks() -> Html:
    """The two banks of 40 kernels of 3 × 3."""
    kernels = {
        "high frequencies, sparse": stylegan_tied.sign_kernels(),
        "oriented": stylegan_tied.oriented_kernels(),
    }
    return labelled(
        {label: _tiles(each) for label, each in kernels.items()},
        "A bank of forty small kernels: edges and bars at several angles, spots, their negatives",
        "The two banks that kernels are drawn from. Orange: positive; grey: 0; blue: negative.",
    )


def _tiles(kernels: Tensor) -> Tensor:
    x = (kernels / kernels.abs().amax((1, 2), keepdim=True))[:, None]
    low, middle, high = (torch.tensor(c).view(3, 1, 1) for c in (NEGATIVE, NOTHING, POSITIVE))
    planes = middle + x.abs() * (torch.where(x > 0, high, low) - middle)
    return to_tiles(enlarge(planes.round().byte(), TIMES), COLUMNS).permute(2, 0, 1)


def noise_maps() -> Html:
    """Pink maps, bare and under an envelope."""
    key = rng.key("chapter", torch.arange(MAPS))
    maps = {"pink": stylegan_noise.pink_noise, "under an envelope": stylegan_noise.enveloped_noise}
    panels = {
        f"{label}, {i + 1}": x for label, law in maps.items() for i, x in enumerate(law(key, SIDE))
    }
    return labelled(
        {label: grey(x) for label, x in panels.items()},
        "A map of noise: clouds with grain; under an envelope they are left in some patches only",
        "What a layer adds, two maps of each kind: pink noise; in the sets sparse and oriented, "
        "pink noise under an envelope.",
    )


def growth() -> Html:
    """One oriented image at every resolution that the network passes."""
    source = generator("stylegan-oriented")
    assert isinstance(source, stylegan.StyleGAN)
    number, one = source.network_key(0, seed=0), source.keys([IMAGE])
    frames = {}
    for side in (8, 16, 32, 64, 128, 256):
        net = stylegan_network.network(number, side, 1.0, False, "cpu")
        key = torch.tensor(number)
        x = stylegan_tied.tied_synthesis(net, one, key, side, source.options)
        x = stylegan.to_photographic(x, one)
        times, step = max(1, SIDE // side), max(1, side // SIDE)
        frames[f"{side} px"] = enlarge(x, times)[0, :, ::step, ::step]
    return slider(
        frames,
        "One image after each doubling of the resolution: blobs, edges and streaks, then detail",
        "One image of the oriented set. Each step doubles the resolution and adds its own colours.",
        scale=2,
    )
