"""Random StyleGANs: untrained networks that paint ("Learning to See by Looking at Noise", 2021).

The four sets differ in kernels, noise and biases (authors' code). The network is in
``stylegan_network``, its two ways of convolution in ``stylegan_free`` and ``stylegan_tied``.
"""

import torch
from torch import Tensor

from ..core import rng
from .base import Generator
from .registry import register
from .stylegan_free import free_synthesis, free_synthesis_half
from .stylegan_network import Draw, StyleGANOptions, network
from .stylegan_tied import tied_synthesis, tied_synthesis_gathered

SIDE = 256  # pixels at which the paper's networks paint
FULL_FREE = 64  # images of SIDE that fill a GPU, of free kernels and a width of 1; chosen here
FULL_TIED = 256  # the same of tied kernels, of any width; chosen here
# An output channel is given a mean and a deviation, ~ N(value, spread), as photographs have them;
# R, G, B; authors' code
MEAN = (0.483, 0.455, 0.401)
MEAN_SPREAD = (0.145, 0.142, 0.161)
STD = (0.219, 0.213, 0.213)
STD_SPREAD = (0.063, 0.062, 0.069)


@register("stylegan-random")
@register("stylegan-highfreq", kernels="signs", noise="pink")
@register("stylegan-sparse", kernels="signs", noise="envelope", bias_high=0.2)
@register("stylegan-oriented", kernels="oriented", noise="envelope", bias_low=-0.2, bias_high=0.2)
class StyleGAN(Generator):
    """Untrained StyleGAN2 networks, painted at 256 px, in means and contrasts of photographs."""

    Options = StyleGANOptions
    stream = "stylegan"
    scene = SIDE
    # of a width of 1; in half precision on a GPU, where tied kernels take less
    work_bytes = 16 << 20

    def scene_size(self, size: int) -> int:
        return max(self.scene, 1 << (size - 1).bit_length())

    def chunk(self, canvas: int, device: str) -> int:
        """As of any generator; on a GPU no more than fill it: more would gain nothing."""
        most = super().chunk(canvas, device)
        if device == "cpu":
            return most
        free = self.options.kernels == "free"
        full = FULL_FREE / max(1, self.options.width) if free else FULL_TIED
        return max(1, min(most, int(full * (SIDE / canvas) ** 2)))

    def network_key(self, number: int, seed: int) -> int:
        """The random key of a network, that of images ``images_per_network`` · number on."""
        return int(rng.key("stylegan-network", seed, number))

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        out = torch.empty((len(keys), 3, size, size), device=keys.device)
        places: dict[int, list[int]] = {}  # the one thing that the host reads, once for a chunk
        numbers = (indices // self.options.images_per_network).tolist()
        for place, number in enumerate(numbers):
            places.setdefault(number, []).append(place)
        for number, chosen in places.items():
            out[chosen] = self._synthesis(keys[chosen], self.network_key(number, seed), size)
        return to_photographic(out, keys)

    def _synthesis(self, keys: Tensor, key: int, size: int) -> Tensor:
        """RGB maps of images of one network, float (n, 3, size, size)."""
        options, device = self.options, keys.device
        free = options.kernels == "free"
        shared = network(key, size, options.width, free, str(device))
        if free:
            synthesis = free_synthesis if device.type == "cpu" else free_synthesis_half
            return synthesis(shared, keys, size, options.width)
        tied = tied_synthesis if device.type == "cpu" else tied_synthesis_gathered
        return tied(shared, keys, torch.tensor(key, device=device), size, options)


def to_photographic(x: Tensor, keys: Tensor) -> Tensor:
    """Give every channel of float (n, 3, h, w) a drawn mean and contrast: uint8 (n, 3, h, w)."""
    z = rng.normal(rng.fold(keys, Draw.PHOTOGRAPHIC), (2, 3))
    mean, spread, std, std_spread = (
        torch.tensor(values, device=x.device) for values in (MEAN, MEAN_SPREAD, STD, STD_SPREAD)
    )
    x = x - x.mean((2, 3), keepdim=True)
    x = x / x.square().mean((2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    contrast = (std + std_spread * z[:, 1])[..., None, None]
    x = x * contrast + (mean + spread * z[:, 0])[..., None, None]
    return (x.clamp(0, 1) * 255).byte()
