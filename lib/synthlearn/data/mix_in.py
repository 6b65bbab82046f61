"""Images of a source mixed into those of a training, so that what it learns bears corruption.

The law of PixMix (Hendrycks et al. 2022): a few rounds, each adds or multiplies another image, of
the source or a changed copy of the image itself. Changed copies are mirrored, turned by quarters,
moved around the border, posterised, solarised or stretched in contrast: the paper's without
equalisation, shears and turns by any angle.
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ..core import rng
from ..core.errors import ParameterError
from ..core.options import number, whole
from ..core.source import Source
from .held import Held, checked_number, checked_source

ROUNDS = 4  # at most; the paper's k
SEVERITY = 3.0  # the paper's β
CHANGES = 6
_TINY = 1e-6  # under a pixel that is raised to a negative power


def shares(keys: Tensor, severity: float) -> tuple[Tensor, Tensor]:
    """Weights (a, b) of an image and of what is mixed into it: float (n,) each, for keys (n,).

    With u and v uniform and β the severity, a = u^(1/β) and b = 1 − v^(1/β), which are Beta(β, 1)
    and Beta(1, β); half of the time a = 1 + (1 − u^(1/β)) and b = −(1 − v^(1/β)). A larger β mixes
    less.

    >>> a, b = shares(torch.arange(1000), severity=3.0)
    >>> bool(((a - 1) * b <= 0).all()), bool((b.abs() <= 1).all())
    (True, True)
    """
    u = rng.uniform(keys, (3,))
    own, other = u[:, 0] ** (1 / severity), 1 - u[:, 1] ** (1 / severity)
    away = u[:, 2] < 0.5
    return torch.where(away, 2 - own, own), torch.where(away, -other, other)


def added(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a·x + b·y about mid grey, cut off at black and white: float (n, 3, s, s) in [0, 1].

    >>> grey, white = torch.full((1, 3, 1, 1), 0.5), torch.ones(1, 3, 1, 1)
    >>> added(grey, white, torch.tensor([1.0]), torch.tensor([0.4])).flatten().round(decimals=4)
    tensor([0.7000, 0.7000, 0.7000])
    """
    a, b = a[:, None, None, None], b[:, None, None, None]
    mixed: Tensor = 0.5 + a * (x - 0.5) + b * (y - 0.5)
    return mixed.clamp(0, 1)


def multiplied(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(2x)^a · (2y)^b / 2, cut off at black and white: float (n, 3, s, s) in [0, 1].

    >>> x, grey = torch.full((1, 3, 1, 1), 0.25), torch.full((1, 3, 1, 1), 0.5)
    >>> multiplied(x, grey, torch.tensor([1.0]), torch.tensor([0.4])).flatten()
    tensor([0.2500, 0.2500, 0.2500])
    """
    a, b = (each[:, None, None, None] for each in (a, b))
    mixed: Tensor = (2 * x).clamp_min(_TINY) ** a * (2 * y).clamp_min(_TINY) ** b / 2
    return mixed.clamp(0, 1)


def changed(x: Tensor, keys: Tensor) -> Tensor:
    """A changed copy of each image, float (n, 3, s, s) in [0, 1]; how, its key says.

    >>> changed(torch.rand(5, 3, 8, 8), torch.arange(5)).shape
    torch.Size([5, 3, 8, 8])
    """
    kind, u = rng.integers(keys, 0, CHANGES), rng.uniform(rng.fold(keys, 1), (2,))
    out = torch.empty_like(x)
    for i, (which, (a, b)) in enumerate(zip(kind.tolist(), u.tolist(), strict=True)):
        out[i] = _change(x[i], which, a, b)
    return out


def _change(x: Tensor, kind: int, a: float, b: float) -> Tensor:
    """One change of an image (3, s, s); a, b: in [0, 1), its size."""
    side = x.shape[-1]
    if kind == 0:
        return x.flip(2)
    if kind == 1:
        return x.rot90(1 + int(3 * a), (1, 2))
    if kind == 2:
        return x.roll((int((a - 0.5) * side / 2), int((b - 0.5) * side / 2)), (1, 2))
    if kind == 3:
        most = 2.0 ** (2 + int(4 * a)) - 1
        return (x * most).round() / most
    if kind == 4:
        return torch.where(x > 0.25 + 0.75 * a, 1 - x, x)
    low, high = x.amin((1, 2), keepdim=True), x.amax((1, 2), keepdim=True)
    return (x - low) / (high - low).clamp_min(_TINY)


class MixIn(Held, torch.nn.Module):
    """A transform that mixes images of a source into images, for ``torchvision.transforms.v2``.

    Args:
        source: of the mixing images: a name, or a source with options of its own.
        images: how many of its images there are to choose from.
        rounds: at most; uniform from 0.
        severity: β of :func:`shares`; larger mixes less.
        seed: whole number from 0.

    Call it with square images, uint8 or float in [0, 1], (3, s, s) or (n, 3, s, s): it returns the
    same type and shape, on the same device; torchvision's ``tv_tensors`` stay such. What comes
    with an image, as its label, comes back with it. Random numbers are a function of ``seed``, of
    the seed that torch's DataLoader gives a worker, and of the number of images so far; mixing
    images are made at the first call, for each size once, and not pickled.

    Raises: ParameterError for arguments that cannot be, and for what is no such image; DataError
    where the source has fewer than ``images``.

    >>> import synthlearn as sl
    >>> mix = sl.data.MixIn("dead_leaves-mixed", images=4)
    >>> mix(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        source: Source | str,
        images: int = 1000,
        rounds: int = ROUNDS,
        severity: float = SEVERITY,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source, self.seed = checked_source(source), whole("seed", seed)
        self.images = checked_number("images", images, self.source)
        self.rounds = whole("rounds", rounds, 0, 100)
        self.severity = number("severity", severity, 0.01, 1000.0)
        self.count = 0

    @cached_property
    def _pools(self) -> dict[tuple[int, torch.device], Tensor]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_pools"}

    def pool(self, size: int, device: str | torch.device = "cpu") -> Tensor:
        """The mixing images at a size, uint8 (images, 3, size, size), made on the CPU.

        Raises: ParameterError where the source's own are smaller.
        """
        place = size, torch.device(device)
        if place not in self._pools:
            pictures = self.source.sample(range(self.images), size, self.seed)
            if (own := pictures.shape[-1]) != size:
                what = f"the pictures of {self.source.name} have {own} px, these images {size}"
                raise ParameterError(f"{what}; resize the images first, or name another source")
            self._pools[place] = pictures.to(device)
        return self._pools[place]

    def forward(self, image: Tensor, *others: Any) -> Any:
        """Images with images mixed in; with ``others``, a tuple with these behind them."""
        mixed = self._mixed(image)
        return (mixed, *others) if others else mixed

    def _mixed(self, image: Tensor) -> Tensor:
        x = self._checked(image)
        if not len(x):
            return image
        info = get_worker_info()
        number = torch.arange(self.count, self.count + len(x), device=x.device)
        # a worker's seed is another in every epoch, in which its count begins at 0 again
        keys = rng.key("mix in", self.seed, info.seed if info else 0, number, device=x.device)
        self.count += len(x)
        mixed = self.mix(x.float() / 255 if image.dtype == torch.uint8 else x, keys)
        if image.dtype == torch.uint8:
            mixed = (mixed * 255).round().byte()
        return mixed.view(image.shape).to(image.dtype).as_subclass(type(image))

    def mix(self, x: Tensor, keys: Tensor) -> Tensor:
        """:meth:`forward` of float images (n, 3, s, s) in [0, 1] by keys (n,)."""
        pool = self.pool(x.shape[-1], x.device)
        often = rng.integers(rng.fold(keys, 0), 0, self.rounds + 1)
        start = rng.uniform(rng.fold(keys, 1)) < 0.5  # half begin with a changed copy
        out = torch.where(start[:, None, None, None], changed(x, rng.fold(keys, 2)), x)
        out = torch.where((often > 0)[:, None, None, None], out, x)
        for turn in range(self.rounds):
            own = rng.fold(keys, 3, turn)
            u, which = rng.uniform(own, (2,)), rng.integers(rng.fold(own, 1), 0, len(pool))
            own_copy = (u[:, 0] < 0.5)[:, None, None, None]
            other = torch.where(own_copy, changed(x, rng.fold(own, 2)), pool[which].float() / 255)
            a, b = shares(rng.fold(own, 3), self.severity)
            adds = (u[:, 1] < 0.5)[:, None, None, None]
            mixed = torch.where(adds, added(out, other, a, b), multiplied(out, other, a, b))
            out = torch.where((turn < often)[:, None, None, None], mixed, out)
        return out

    def _checked(self, image: Tensor) -> Tensor:
        good = isinstance(image, Tensor) and image.ndim in (3, 4) and image.shape[-3] == 3
        if not good or image.shape[-1] != image.shape[-2]:
            tensor = isinstance(image, Tensor)
            what = tuple(image.shape) if tensor else type(image).__name__
            remedy = "make it RGB and square before" if tensor else "put v2.ToImage() before"
            must = f"must be a tensor, (3, s, s) or (n, 3, s, s); {remedy}"
            raise ParameterError(f"image of {what}: {must}")
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise ParameterError(f"image of {image.dtype}: must be uint8, or float in [0, 1]")
        if image.is_floating_point() and not bool(((image >= 0) & (image <= 1)).all()):
            low, high = float(image.min()), float(image.max())
            must = "must lie in [0, 1]; mix before the image is normalised"
            raise ParameterError(f"float image with values from {low:g} to {high:g}: {must}")
        return image if image.ndim == 4 else image[None]
