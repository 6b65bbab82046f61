"""Feature visualisations: pictures optimised to excite units of a network ("Learning to See by Looking at Noise", 2021).

After Olah, Mordvintsev and Schubert (2017): a picture is the sigmoid of decorrelated colours of a Fourier series, whose coefficients climb
the sum of one or two pooled units while the picture is moved, shrunk and turned a little at every step. Law and constants: authors' code.
The network is a random ResNet-50, or any encoder of this project from its file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .. import encoders, rng
from ..errors import CheckpointError, ParameterError
from .base import Generator, Options, generator, register

RANDOM = ("resnet50", "small")  # networks with random weights; another name is a file's
BLOCK = 8
SIDE = 256  # at which pads and shifts are stated
START, LEARNING_RATE, BETAS, ADAM_EPSILON = 0.01, 0.05, (0.9, 0.999), 1e-8
PAD, SHIFT_FIRST, SHIFT_LAST = 12, 8, 4
ZOOM = (0.90, 0.92, 0.94, 0.96, 0.98, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # 0.90 … 1.10: what grows is scaled back, so only shrinking shows
TURNS, STILL = 10, 6  # whole degrees up to ± TURNS; no turn is as likely as STILL of the others together
COLOUR = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))  # rows R, G, B; columns are decorrelated, largest first
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Units = Callable[[Tensor], Tensor]


def unit_list(index: Tensor, units: int) -> Tensor:
    """Units of picture ``index``, int64 (n, 2): every unit alone (twice the same number), then pairs in lexical order, then from the start again."""
    index = index % (units + units * (units - 1) // 2)
    pair = (index - units).clamp_min(0)
    # pairs before (a, a + 1): a·units − a·(a + 1)/2
    before = torch.arange(units, device=index.device) * units - torch.arange(units, device=index.device) * torch.arange(1, units + 1, device=index.device) // 2
    first = torch.searchsorted(before, pair, right=True) - 1
    second = pair - before[first] + first + 1
    return torch.where((index < units)[:, None], index[:, None], torch.stack((first, second), 1))


@dataclass(frozen=True)
class FeatureVisOptions(Options):
    """``encoder``: file of an encoder whose last convolution is looked into (``python -m synthlearn pretrain`` makes one), "resnet50" or
    "small" (a SmallAlexNet of ``width``), both with random weights. ``steps``: of the optimisation."""

    encoder: str
    steps: int = 128
    width: float = 1.0
    at_least: ClassVar = {"steps": 0, "width": 1 / 32}
    at_most: ClassVar = {"steps": 10_000, "width": 4}


@register("feature_vis-random", encoder="resnet50")
@register("feature_vis-dead_leaves")
class FeatureVis(Generator):
    """Pictures that excite one or two units of a network: textures at the edge of objects, each its own way for each start."""

    Options = FeatureVisOptions
    scene = 0  # pads and shifts follow the picture's size
    work_bytes = 64 << 20

    def spec(self) -> dict[str, Any]:
        described = super().spec()
        if self.options.encoder not in RANDOM and _is_file(self.options.encoder):  # what is in the file, not where it is
            described["options"]["encoder"] = encoders.identity(Path(self.options.encoder))
        return described

    def chunk(self, canvas: int, device: str) -> int:
        """As of any generator, in whole blocks."""
        return -(-super().chunk(canvas, device) // BLOCK) * BLOCK

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        network, count = units_of(self.options.encoder, self.options.width, seed, str(keys.device))
        chosen = unit_list(indices, count)
        if keys.device.type != "cpu":
            return self.optimise(network, chosen, keys, size, self.options.steps)
        # A processor adds up in another order for a batch of one, and the steps amplify that: always whole blocks, the last one filled up.
        place = torch.arange(-(-len(keys) // BLOCK) * BLOCK).clamp_max(len(keys) - 1).split(BLOCK)
        return torch.cat([self.optimise(network, chosen[p], keys[p], size, self.options.steps) for p in place])[: len(keys)]

    def optimise(self, network: Units, chosen: Tensor, keys: Tensor, size: int, steps: int, every: int = 0) -> Tensor:
        """Pictures after ``steps`` steps, uint8 (n, 3, size, size); with ``every`` also those before, one batch each (k, n, …)."""
        z = START * rng.normal(rng.fold(keys, 0), (3, size, size // 2 + 1, 2))
        mean, square, shown = torch.zeros_like(z), torch.zeros_like(z), []
        for step in range(steps):
            if every and step % every == 0:
                shown.append(_stretch(picture(z)))
            with torch.enable_grad():
                z.requires_grad_(True)
                activation = network(transform(picture(z), rng.fold(keys, 1, step)))
                (gradient,) = torch.autograd.grad(activation.gather(1, chosen).sum() / 2, z)
            z = z.detach()
            # Adam, uphill
            mean = BETAS[0] * mean + (1 - BETAS[0]) * gradient
            square = BETAS[1] * square + (1 - BETAS[1]) * gradient.square()
            z = z + LEARNING_RATE * (mean / (1 - BETAS[0] ** (step + 1))) / ((square / (1 - BETAS[1] ** (step + 1))).sqrt() + ADAM_EPSILON)
        if not bool(torch.isfinite(z).all()):
            raise CheckpointError(
                f"option encoder = {self.options.encoder!r}: its activations or their gradient are NaN "
                f"or infinite; give another encoder, or train it again with a lower lr"
            )
        last = _stretch(picture(z))
        return torch.stack((*shown, last)) if every else last


def visualise(encoder: str, tap: str, units: Tensor, size: int, steps: int, seed: int = 0, width: float = 1.0) -> Tensor:
    """Pictures that excite single ``units`` (n,) of a convolution of an encoder, each averaged over space: uint8 (n, 3, size, size).

    encoder, width: as in :class:`FeatureVisOptions`. Raises what the generator raises.
    """
    maker = generator("feature_vis-dead_leaves", encoder=encoder, steps=steps, width=width)
    assert isinstance(maker, FeatureVis)
    network, _ = units_of(encoder, width, seed, "cpu", tap)
    return maker.optimise(network, units[:, None].expand(-1, 2), rng.key("visualise", seed, units), size, steps)


def picture(z: Tensor) -> Tensor:
    """Coefficients (n, 3, s, s/2 + 1, 2) to pixels in (0, 1): float (n, 3, s, s)."""
    size = z.shape[2]
    f = torch.hypot(torch.fft.fftfreq(size, device=z.device)[:, None], torch.fft.rfftfreq(size, device=z.device))
    spectrum = torch.view_as_complex(z.contiguous()) / f.clamp_min(1 / size)
    x = torch.fft.irfft2(spectrum, s=(size, size), norm="ortho") / 4
    colour = torch.tensor(COLOUR, device=z.device)
    colour = colour / colour.norm(dim=0).max()
    return torch.sigmoid(torch.einsum("rc,nchw->nrhw", colour, x))


def transform(x: Tensor, keys: Tensor) -> Tensor:
    """Pad with grey, shift, shrink, turn, shift, back to the size: float (n, 3, s, s), zeros from outside. The moves are one bilinear resampling."""
    n, _, size, _ = x.shape
    unit = size / SIDE
    pad = round(PAD * unit)
    canvas = size + 2 * pad
    u = rng.uniform(keys, (6,))
    zoom = torch.tensor(ZOOM, device=x.device)[(u[:, 0] * len(ZOOM)).long()]
    degrees = torch.arange(-TURNS, TURNS + 1, device=x.device).repeat_interleave(torch.tensor([1] * TURNS + [STILL] + [1] * TURNS, device=x.device))
    angle = torch.deg2rad(degrees[(u[:, 1] * len(degrees)).long()].float())
    shift = (u[:, 2:4] * SHIFT_FIRST).floor() * unit - (u[:, 4:6] * SHIFT_LAST).floor() * unit
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    move = 2 * shift / canvas
    theta = torch.stack((torch.stack((cos, -sin, move[:, 0]), 1), torch.stack((sin, cos, move[:, 1]), 1)), 1)
    grid = functional.affine_grid(theta, [n, 3, size, size], align_corners=True)
    return functional.grid_sample(functional.pad(x, (pad,) * 4, value=0.5), grid, align_corners=True)


def _stretch(x: Tensor) -> Tensor:
    """Float (n, 3, s, s) so that the least value is 0 and the largest 255, uint8."""
    x = x - x.amin((1, 2, 3), keepdim=True)
    return (255 * x / x.amax((1, 2, 3), keepdim=True).clamp_min(1e-12)).add_(0.5).clamp_(0, 255).byte()


def _is_file(name: str) -> bool:
    """True if there is a file of that name."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long, or with a null: no file has such a name
        return False


def units_of(encoder: str, width: float, seed: int, device: str, tap: str | None = None) -> tuple[Units, int]:
    """A network's pooled units, of its last convolution or of ``tap``: a function of pictures (n, 3, s, s) in [0, 1] to activations
    (n, units), and how many there are.

    Raises: ParameterError if ``encoder`` is neither a name nor a file; CheckpointError if the file holds no encoder.
    """
    if encoder not in RANDOM and not _is_file(encoder):
        raise ParameterError(
            f"option encoder = {encoder[:200]!r}: no such file; give an encoder's file, "
            f"as `python -m synthlearn pretrain` writes it, or {' or '.join(map(repr, RANDOM))}"
        )
    changed = 0 if encoder in RANDOM else Path(encoder).stat().st_mtime_ns
    return _units_of(encoder, width, seed, device, tap, changed)


@lru_cache(maxsize=2)
def _units_of(encoder: str, width: float, seed: int, device: str, tap: str | None, changed: int) -> tuple[Units, int]:
    """:func:`units_of` of an encoder as it was at the time ``changed``: a file that is written anew is read anew."""
    constants: tuple[tuple[float, ...], tuple[float, ...]] = (IMAGENET_MEAN, IMAGENET_STD)
    if encoder == "resnet50":
        network = encoders.resnet_trunk("resnet50", seed)
        read: Units = network
    else:
        small = encoders.SmallAlexNet(width, seed=seed) if encoder == "small" else encoders.load(encoder)
        chosen = tap or ("conv5" if "conv5" in small.taps else small.taps[-1])
        network, constants = small, small.normalisation

        def read(x: Tensor) -> Tensor:
            return small.features(x, (chosen,))[chosen]

    network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]  # torch's stubs lack it
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in constants)

    def activations(x: Tensor) -> Tensor:
        return read(((x - mean) / std).contiguous(memory_format=torch.channels_last))

    with torch.no_grad():
        return activations, activations(torch.zeros(1, 3, 64, 64, device=device)).shape[1]
