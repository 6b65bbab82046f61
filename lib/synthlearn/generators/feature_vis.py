"""Feature visualisations: images optimised to excite units of a network.

"Learning to See by Looking at Noise" (2021), after Olah, Mordvintsev and Schubert (2017): an image
is the sigmoid of decorrelated colours of a Fourier series, whose coefficients climb the sum of one
or two pooled units while the image is moved, shrunk and turned a little at every step. Law and
constants: authors' code. The network is a random ResNet-50, or any encoder of this project from its
file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import rng
from ..core.errors import CheckpointError, ParameterError
from ..core.graph import WARM_UP, Replayed
from ..learn import encoders
from .base import SCENE, Generator, Options
from .registry import generator, register

RANDOM = ("resnet50", "small")  # networks with random weights; another name is a file's
BLOCK = 8  # images that are always optimised together on a processor; chosen here
FULL = 256  # images of 128 px that fill a GPU; chosen here
# Of the authors' code:
SIDE = 256  # pixels at which pads and shifts are stated
START = 0.01  # standard deviation of the first coefficients
LEARNING_RATE = 0.05  # of Adam
BETAS = (0.9, 0.999)  # of Adam
ADAM_EPSILON = 1e-8
PAD = 12  # pixels of grey around the image
SHIFT_FIRST = 8  # pixels, below which the first shift lies
SHIFT_LAST = 4  # pixels, below which the last shift lies
# 0.90 … 1.10: what grows is scaled back, so only shrinking shows
ZOOM = (0.90, 0.92, 0.94, 0.96, 0.98, *6 * (1.0,))
TURNS = 10  # whole degrees up to ± TURNS
STILL = 6  # no turn is as likely as so many of the others together
# rows R, G, B; columns are decorrelated, largest first
COLOUR = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # R, G, B
IMAGENET_STD = (0.229, 0.224, 0.225)  # R, G, B
# The steps amplify any rounding: a last bit of the start is 27 grey levels after 128 steps, so no
# two processors agree on an image, and a GPU gains four times the speed by fewer bits.
PRECISION = {"cpu": torch.float32, "cuda": torch.bfloat16}  # in which a network is looked into

Units = Callable[[Tensor], Tensor]  # images (n, 3, s, s) in [0, 1] → activations (n, units)


class Draw(IntEnum):
    """What is drawn for an image."""

    START = 0
    MOVES = 1  # and a step's number


def unit_list(index: Tensor, units: int) -> Tensor:
    """Units of image ``index``, int64 (n,) → (n, 2).

    Every unit alone (twice the same number), then pairs in lexical order, then from the start
    again.
    """
    index = index % (units + units * (units - 1) // 2)
    pair = (index - units).clamp_min(0)
    # pairs before (a, a + 1): a·units − a·(a + 1)/2
    a = torch.arange(units, device=index.device)
    before = a * units - a * (a + 1) // 2
    first = torch.searchsorted(before, pair, right=True) - 1
    second = pair - before[first] + first + 1
    return torch.where((index < units)[:, None], index[:, None], torch.stack((first, second), 1))


@dataclass(frozen=True)
class FeatureVisOptions(Options):
    """Options of feature visualisations.

    ``encoder``: file of an encoder whose last convolution is looked into (``python -m synthlearn
    pretrain`` makes one), "resnet50" or "small" (a SmallAlexNet of ``width``), both with random
    weights. ``steps``: of the optimisation.
    """

    encoder: str
    steps: int = 128
    width: float = 1.0
    at_least: ClassVar = {"steps": 0, "width": 1 / 32}
    at_most: ClassVar = {"steps": 10_000, "width": 4}


@register("feature_vis-random", encoder="resnet50")
@register("feature_vis-dead_leaves")
class FeatureVis(Generator):
    """Pictures that excite one or two units of a network: textures at the edge of objects."""

    Options = FeatureVisOptions
    stream = "feature_vis"
    scene = 0  # pads and shifts follow the image's size
    work_bytes = 64 << 20

    def spec(self) -> dict[str, Any]:
        """As of any generator; of an encoder's file what is in it, not where it is."""
        spec = super().spec()
        if self.options.encoder not in RANDOM and _is_file(self.options.encoder):
            spec["options"]["encoder"] = encoders.identity(Path(self.options.encoder))
        return spec

    def chunk(self, canvas: int, device: str) -> int:
        """As of any generator, in whole blocks; on a GPU no more than fill it."""
        most: float = super().chunk(canvas, device)
        if device != "cpu":
            most = min(most, FULL * (SCENE / canvas) ** 2)
        return math.ceil(most / BLOCK) * BLOCK

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        n, device, options = len(keys), keys.device, self.options
        which = options.encoder, options.width, seed, str(device)
        network, count = units_of(*which, precision=PRECISION[device.type])
        units = unit_list(indices, count)
        if device.type != "cpu":
            return self.optimise(network, units, keys, size, options.steps)
        # A processor adds up in another order for a batch of one, and the steps amplify that:
        # always whole blocks, the last one filled up.
        places = torch.arange(-(-n // BLOCK) * BLOCK).clamp_max(n - 1).split(BLOCK)
        blocks = [self.optimise(network, units[p], keys[p], size, options.steps) for p in places]
        return torch.cat(blocks)[:n]

    def optimise(
        self, network: Units, chosen: Tensor, keys: Tensor, size: int, steps: int, every: int = 0
    ) -> Tensor:
        """Pictures after ``steps`` steps.

        Args:
            network: their units.
            chosen: units of each image, int64 (n, 2).
            keys: int64 (n,).
            size: side in pixels.
            steps: of the optimisation.
            every: if not 0, images before each so many steps are given, too.

        Returns: uint8 (n, 3, size, size), or, with ``every``, (k, n, 3, size, size).
        Raises: CheckpointError where the network gives what is not finite.
        """
        climb = Climb(network, chosen, keys, size, steps)
        step = Replayed(climb.step, lambda: climb.state)
        stages = []
        for number in range(steps):
            if every and number % every == 0:
                stages.append(_stretch(climb.picture()))
            step(keys)
        if not bool(torch.isfinite(climb.z).all()):
            what = "its activations or their gradient are NaN or infinite"
            remedy = "give another encoder, or train it again with a lower lr"
            raise CheckpointError(f"option encoder = {self.options.encoder!r}: {what}; {remedy}")
        last = _stretch(climb.picture())
        return torch.stack((*stages, last)) if every else last


def visualise(
    encoder: str, tap: str, units: Tensor, size: int, steps: int, seed: int = 0, width: float = 1.0
) -> Tensor:
    """Pictures that excite single ``units`` (n,) of a convolution, each averaged over space.

    encoder, width: as in :class:`FeatureVisOptions`. tap: the convolution's name. Returns uint8
    (n, 3, size, size). Raises what the generator raises.
    """
    maker = generator("feature_vis-dead_leaves", encoder=encoder, steps=steps, width=width)
    assert isinstance(maker, FeatureVis)
    network, _ = units_of(encoder, width, seed, "cpu", tap)
    keys = rng.key("visualise", seed, units)
    return maker.optimise(network, units[:, None].expand(-1, 2), keys, size, steps)


@dataclass(frozen=True)
class Tables:
    """Constants on a device, sent there once, so that a step can be recorded.

    Radius (s, s/2 + 1) of each frequency, colours (3, 3), zooms, turns in degrees.
    """

    radius: Tensor
    colour: Tensor
    zoom: Tensor
    degrees: Tensor


def tables(size: int, device: str | torch.device = "cpu") -> Tables:
    """The constants of images of that side."""
    rows, columns = torch.fft.fftfreq(size, device=device), torch.fft.rfftfreq(size, device=device)
    colour = torch.tensor(COLOUR, device=device)
    turns = range(-TURNS, TURNS + 1)
    degrees = [float(turn) for turn in turns for _ in range(1 if turn else STILL)]
    return Tables(
        torch.hypot(rows[:, None], columns).clamp_min(1 / size),
        colour / colour.norm(dim=0).max(),
        torch.tensor(ZOOM, device=device),
        torch.tensor(degrees, device=device),
    )


class Climb:
    """Pictures on their way uphill, by Adam.

    Args:
        network: their units; ``chosen`` (n, 2) of them are climbed.
        keys: of the images, int64 (n,).
        size: side of the images.
        steps: how often :meth:`step` may be called.

    ``state``: the coefficients ``z`` (n, 3, s, s/2 + 1, 2), both moments, and the number of steps.
    """

    def __init__(
        self,
        network: Units,
        chosen: Tensor,
        keys: Tensor,
        size: int,
        steps: int,
    ) -> None:
        self.network, self.chosen = network, chosen
        self.tables = tables(size, keys.device)
        self.moves = rng.fold(keys, Draw.MOVES)
        self.z = START * rng.normal(rng.fold(keys, Draw.START), (3, size, size // 2 + 1, 2))
        self.mean = torch.zeros_like(self.z)
        self.square = torch.zeros_like(self.z)
        self.count = torch.zeros((), dtype=torch.int64, device=keys.device)
        self.state = self.z, self.mean, self.square, self.count
        # Adam's corrections of the moments, one row a step; a recording warms up for some steps
        rows = range(1, 1 + max(steps, WARM_UP))
        shrunk = [[1 - beta**row for beta in BETAS] for row in rows]
        self.shrunk = torch.tensor(shrunk, device=keys.device)

    def picture(self) -> Tensor:
        """The images now, float (n, 3, s, s) in (0, 1)."""
        return picture(self.z, self.tables)

    def step(self, _: Tensor) -> tuple[Tensor]:
        """One step for all, in place, with nothing read back by the host; gives ``count``."""
        with torch.enable_grad():
            z = self.z.detach().requires_grad_(True)
            keys = rng.fold(self.moves, self.count)
            activation = self.network(transform(picture(z, self.tables), keys, self.tables))
            (gradient,) = torch.autograd.grad(activation.gather(1, self.chosen).sum() / 2, z)
        shrunk = self.shrunk.index_select(0, self.count[None])[0]
        for moment, beta, new in (
            (self.mean, BETAS[0], gradient),
            (self.square, BETAS[1], gradient.square()),
        ):
            moment.mul_(beta).add_((1 - beta) * new)
        rise = LEARNING_RATE * (self.mean / shrunk[0])
        self.z += rise / ((self.square / shrunk[1]).sqrt() + ADAM_EPSILON)
        self.count += 1
        return (self.count,)


def picture(z: Tensor, constants: Tables) -> Tensor:
    """Coefficients (n, 3, s, s/2 + 1, 2) to pixels in (0, 1): float (n, 3, s, s)."""
    size = z.shape[2]
    spectrum = torch.view_as_complex(z.contiguous()) / constants.radius
    x = torch.fft.irfft2(spectrum, s=(size, size), norm="ortho") / 4
    return torch.sigmoid(torch.einsum("rc,nchw->nrhw", constants.colour, x))


def transform(x: Tensor, keys: Tensor, constants: Tables) -> Tensor:
    """Pad with grey, shift, shrink, turn, shift, back to the size: float (n, 3, s, s).

    The moves are one bilinear resampling, with zeros from outside.
    """
    n, _, size, _ = x.shape
    unit = size / SIDE
    pad = round(PAD * unit)
    canvas = size + 2 * pad
    u = rng.uniform(keys, (6,))
    zooms, degrees = constants.zoom, constants.degrees
    zoom = zooms[(u[:, 0] * len(zooms)).long()]
    angle = torch.deg2rad(degrees[(u[:, 1] * len(degrees)).long()])
    shift = (u[:, 2:4] * SHIFT_FIRST).floor() * unit - (u[:, 4:6] * SHIFT_LAST).floor() * unit
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    move = 2 * shift / canvas
    rows = torch.stack((cos, -sin, move[:, 0]), 1), torch.stack((sin, cos, move[:, 1]), 1)
    grid = functional.affine_grid(torch.stack(rows, 1), [n, 3, size, size], align_corners=True)
    padded = functional.pad(x, (pad,) * 4, value=0.5)
    return functional.grid_sample(padded, grid, align_corners=True)


def _stretch(x: Tensor) -> Tensor:
    """Float (n, 3, s, s) so that the least value is 0 and the largest 255, uint8."""
    x = x - x.amin((1, 2, 3), keepdim=True)
    x = 255 * x / x.amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    return x.add_(0.5).clamp_(0, 255).byte()


def _is_file(name: str) -> bool:
    """True if there is a file of that name."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long, or with a null: no file has such a name
        return False


def units_of(
    encoder: str,
    width: float,
    seed: int,
    device: str,
    tap: str | None = None,
    precision: torch.dtype = torch.float32,
) -> tuple[Units, int]:
    """A network's pooled units, of its last convolution or of ``tap``, and how many there are.

    The units are a function of images (n, 3, s, s) in [0, 1] to activations (n, units), float32
    but computed in ``precision``.

    Raises: ParameterError if ``encoder`` is neither a name nor a file; CheckpointError if the file
    holds no encoder.
    """
    if encoder not in RANDOM and not _is_file(encoder):
        raise ParameterError(
            f"option encoder = {encoder[:200]!r}: no such file; give an encoder's file, "
            f"as `python -m synthlearn pretrain` writes it, or {' or '.join(map(repr, RANDOM))}"
        )
    changed = 0 if encoder in RANDOM else Path(encoder).stat().st_mtime_ns
    return _units_of(encoder, width, seed, device, tap, precision, changed)


@lru_cache(maxsize=2)
def _units_of(
    encoder: str,
    width: float,
    seed: int,
    device: str,
    tap: str | None,
    precision: torch.dtype,
    changed: int,
) -> tuple[Units, int]:
    """:func:`units_of` of an encoder as it was at the time ``changed``.

    So a file that is written anew is read anew.
    """
    network, read, constants = _open(encoder, width, seed, tap)
    # torch's stubs lack it
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.eval().requires_grad_(False)
    for module in network.modules():
        if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):  # these keep their digits
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(precision)
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in constants)

    def activations(x: Tensor) -> Tensor:
        x = ((x - mean) / std).to(precision, memory_format=torch.channels_last)
        return read(x).float()

    with torch.no_grad():
        return activations, activations(torch.zeros(1, 3, 64, 64, device=device)).shape[1]


def _open(
    encoder: str, width: float, seed: int, tap: str | None
) -> tuple[nn.Module, Units, tuple[tuple[float, ...], tuple[float, ...]]]:
    """A network, its pooled units, and the mean and deviation of the channels that it is for."""
    if encoder == "resnet50":
        trunk = encoders.resnet_trunk("resnet50", seed)
        return trunk, trunk, (IMAGENET_MEAN, IMAGENET_STD)
    is_file = encoder not in RANDOM
    network = encoders.load(encoder) if is_file else encoders.SmallAlexNet(width, seed=seed)
    chosen = tap or network.last_convolution

    def read(x: Tensor) -> Tensor:
        return network.features(x, (chosen,))[chosen]

    return network, read, network.normalisation
