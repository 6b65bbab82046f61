"""Random image programs: small expressions of coordinates, drawn from numbers; our own family.

"Procedural Image Programs for Representation Learning" (2022) renders thousands of OpenGL programs
that people wrote; those are not free to pass on. Here a program is drawn: one to four *fields*
(waves, noise, distances, cells), each of coordinates that were turned, folded, tiled or warped,
joined in pairs as a random tree, and coloured. A program's images differ by time and by small
changes of its numbers.

All images of a batch are made at once, whatever their programs: an interpreter of fixed
instructions, each applied to those planes that have it, with operands of their own.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.options import as_indices
from .base import Generator, Options
from .program_instructions import FIELDS, JOINS, LATTICE, WARPS
from .registry import register

# Chosen here:
MOST_FIELDS = 4  # of a program
MOST_WARPS = 4  # of a field
OPERANDS = 6  # of an instruction: which one, and five numbers
PREVIEW = 32  # pixels along a side of a preview
TIMES = (0.5, 4.0, 9.0)  # of the previews
LEAST = 8.0  # standard deviation of a preview, in grey levels, or the program is drawn again
TRIES = 32  # the last is kept whatever its previews
TIME_RANGE = (0.1, 9.9)  # first time of an image, and how much later the last one is
STEEP = 4.0  # the limit of a field's values
WOBBLE = 0.05  # of a program's numbers from image to image
SHADED = 0.25  # share of the programs that take their brightness from another field


class Draw(IntEnum):
    """What is drawn for an image."""

    TIME = 0
    WOBBLE = 1


class ProgramDraw(IntEnum):
    """What is drawn for a program."""

    COUNT = 0
    OPERANDS = 1
    TABLES = 2
    COLOUR = 3


@dataclass(frozen=True)
class ProgramsOptions(Options):
    """``programs``: how many there are; image i is of program i mod programs, its class."""

    programs: int = 10_000
    at_least: ClassVar = {"programs": 1}
    at_most: ClassVar = {"programs": 1_000_000_000}


@register("programs")
class Programs(Generator):
    """Random programs: fields of warped coordinates, joined and coloured; a program is a class."""

    Options = ProgramsOptions
    stream = "programs"
    work_bytes = 1 << 20

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self._tries: dict[tuple[int, int], int] = {}  # (seed, program) → the draw that was kept

    def labels(self, indices: Any) -> Tensor:
        """Program of each image, int64 (n,)."""
        return as_indices(indices) % self.options.programs

    def program_keys(self, programs: Tensor, draws: int | Tensor, seed: int = 0) -> Tensor:
        """The random keys of draws of programs (n,): int64 (n,)."""
        return rng.fold(rng.key("program", seed, programs, device=programs.device), draws)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        programs = indices % self.options.programs
        drawn = self.program_keys(programs, self._kept_draws(programs, seed), seed)
        first, length = TIME_RANGE
        return render(drawn, first + length * rng.uniform(rng.fold(keys, Draw.TIME)), size, keys)

    def _kept_draws(self, programs: Tensor, seed: int) -> Tensor:
        """The first draw of each program whose previews are neither flat nor saturated, (n,)."""
        device = programs.device
        numbers = programs.tolist()
        missing = sorted({p for p in numbers if (seed, p) not in self._tries})
        unknown = torch.tensor(missing, dtype=torch.int64, device=device)
        for draw in range(TRIES):
            if not len(unknown):
                break
            last = draw + 1 == TRIES
            good = torch.ones(len(unknown), dtype=torch.bool)
            if not last:
                good = is_varied(self.program_keys(unknown, draw, seed))
            for program, kept in zip(unknown.tolist(), good.tolist(), strict=True):
                if kept:
                    self._tries[seed, program] = draw
            unknown = unknown[~good]
        draws = [self._tries[seed, program] for program in numbers]
        return torch.tensor(draws, dtype=torch.int64, device=device)


def is_varied(keys: Tensor) -> Tensor:
    """Whether programs (n,) show something at each of three times: bool (n,).

    Their grey levels have a standard deviation of at least LEAST.
    """
    time = torch.tensor(TIMES, device=keys.device).repeat_interleave(len(keys))
    grey = render(keys.repeat(len(TIMES)), time, PREVIEW).float().mean(1)
    return grey.flatten(1).std(1).view(len(TIMES), -1).amin(0) >= LEAST


def render(keys: Tensor, time: Tensor, size: int, wobble: Tensor | None = None) -> Tensor:
    """Pictures of programs at times.

    Args:
        keys: int64 (n,), of the programs.
        time: float (n,).
        size: side in pixels.
        wobble: int64 (n,), keys of the images: numbers of a program are multiplied by 1 ± WOBBLE;
            None leaves them.

    Returns: uint8 (n, 3, size, size).
    """
    n, device = len(keys), keys.device
    fields = 1 + (rng.uniform(rng.fold(keys, ProgramDraw.COUNT)) * MOST_FIELDS).long()
    operands = draw_operands(keys, wobble)
    there = torch.arange(MOST_FIELDS, device=device) < fields[:, None]
    image, field = torch.nonzero(there, as_tuple=True)
    tables = rng.uniform(rng.fold(keys, ProgramDraw.TABLES), (MOST_FIELDS, 2, LATTICE, LATTICE))
    place = (torch.arange(size, device=device) + 0.5) * 2 / size - 1
    own = operands[image, field]
    values = torch.zeros((n * MOST_FIELDS, size, size), device=device)
    evaluate(values, image * MOST_FIELDS + field, own, time[image], 2 * tables[image, field] - 1)
    values = values.unflatten(0, (n, MOST_FIELDS))
    joined = join_fields(values, fields, operands[:, :, MOST_WARPS + 1], place)
    return colour(joined, values[:, 1], rng.uniform(rng.fold(keys, ProgramDraw.COLOUR), (8,)), time)


def draw_operands(keys: Tensor, wobble: Tensor | None) -> Tensor:
    """Operands of programs (n,), in [0, 1): float (n, MOST_FIELDS, MOST_WARPS + 2, OPERANDS).

    Of each field its warps, what it is, and what joins it. ``wobble``: as of :func:`render`.
    """
    shape = MOST_FIELDS, MOST_WARPS + 2, OPERANDS
    operands = rng.uniform(rng.fold(keys, ProgramDraw.OPERANDS), shape)
    if wobble is None:
        return operands
    change = 1 + WOBBLE * (2 * rng.uniform(rng.fold(wobble, Draw.WOBBLE), shape) - 1)
    change.masked_fill_(structure(keys.device), 1)
    return (operands * change).clamp_max(1 - 2**-24)


def evaluate(out: Tensor, rows: Tensor, operands: Tensor, time: Tensor, table: Tensor) -> None:
    """Values of fields, written to ``rows`` (m,) of float ``out`` (…, s, s).

    operands: float (m, MOST_WARPS + 2, OPERANDS). time: float (m,). table: float (m, 2, LATTICE,
    LATTICE).
    """
    size, device, m = out.shape[-1], out.device, len(rows)
    place = (torch.arange(size, device=device) + 0.5) * 2 / size - 1
    x = place.expand(m, size, size).clone()
    y = place[:, None].expand(m, size, size).clone()
    depth = 1 + (operands[:, MOST_WARPS, 5] * MOST_WARPS).long()

    def arguments(which: Tensor, line: int) -> tuple[Any, ...]:
        plane = x.index_select(0, which), y.index_select(0, which)
        numbers = operands[which, line, 1:, None, None].unbind(1)
        return plane, numbers, time[which, None, None], table[which]

    for turn in range(MOST_WARPS):
        number = torch.where(turn < depth, (operands[:, turn, 0] * len(WARPS)).long(), -1)
        for code, warp in enumerate(WARPS):
            which = torch.nonzero(number == code).flatten()
            if len(which):
                x[which], y[which] = warp(*arguments(which, turn))
    number = (operands[:, MOST_WARPS, 0] * len(FIELDS)).long()
    for code, field in enumerate(FIELDS):
        which = torch.nonzero(number == code).flatten()
        if len(which):
            value = field(*arguments(which, MOST_WARPS)).nan_to_num_(0, STEEP, -STEEP)
            # far values crowd together instead of flickering
            value /= value.abs().div_(STEEP).add_(1)
            out[rows[which]] = value


def structure(device: torch.device) -> Tensor:
    """Which operands say what a program is, not how much of it there is.

    Instructions, depth, and what is joined: bool (MOST_WARPS + 2, OPERANDS).
    """
    fixed = torch.zeros((MOST_WARPS + 2, OPERANDS), dtype=torch.bool, device=device)
    fixed[:, 0] = fixed[MOST_WARPS, 5] = True
    fixed[MOST_WARPS + 1, 1:3] = True
    return fixed


def join_fields(values: Tensor, fields: Tensor, operands: Tensor, place: Tensor) -> Tensor:
    """A random tree over the fields of each image: in each turn two that are left become one.

    values: float (n, MOST_FIELDS, s, s). fields: int64 (n,), how many there are. operands: float
    (n, MOST_FIELDS, OPERANDS). place: float (s,), coordinates. Returns float (n, s, s).
    """
    alive = torch.arange(MOST_FIELDS, device=values.device) < fields[:, None]
    every = torch.arange(len(values), device=values.device)
    out = values.clone()  # colours look at the values too
    for turn in range(MOST_FIELDS - 1):
        left = alive.sum(1)
        first = (operands[:, turn, 1] * left).long()
        step = 1 + (operands[:, turn, 2] * (left - 1).clamp_min(1)).long()
        second = (first + step) % left.clamp_min(1)
        order = torch.argsort((~alive).int(), dim=1, stable=True)  # the living, in their order
        low, high = (
            order.gather(1, which[:, None])[:, 0]
            for which in (torch.minimum(first, second), torch.maximum(first, second))
        )
        number = torch.where(left > 1, (operands[:, turn, 0] * len(JOINS)).long(), -1)
        for code, join in enumerate(JOINS):
            own = torch.nonzero(number == code).flatten()
            if len(own):
                pair = out[own, low[own]], out[own, high[own]]
                numbers = operands[own, turn, 3:, None, None].unbind(1)
                out[own, low[own]] = join(*pair, numbers, place)
        going = every[left > 1]
        alive[going, high[going]] = False
    return out[:, 0]  # the lowest is never the one that goes


def colour(value: Tensor, other: Tensor, u: Tensor, time: Tensor) -> Tensor:
    """From values float (n, s, s) to uint8 (n, 3, s, s) by a cosine palette of each image.

    A quarter of them take their brightness from ``other``, float (n, s, s). u: float (n, 8).
    """
    rate = (1 + (u[:, 0:3] * 3).floor()) * (0.5 + u[:, 3:6] / 2) / 3
    channel = torch.arange(3, device=u.device)
    phase = u[:, 6:7] + channel * (0.1 + 0.4 * u[:, 5:6]) + time[:, None] / 10
    angle = (value[:, None] * rate[..., None, None]).add_(phase[..., None, None]).mul_(2 * math.pi)
    wave = torch.cos(angle).mul_(0.5).add_(0.5)
    shaded = u[:, 7] < SHADED
    wave[shaded] *= (0.55 + 0.45 * torch.sin(2 * other[shaded]))[:, None]
    return wave.mul_(255.999).to(torch.uint8)
