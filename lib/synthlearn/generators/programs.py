"""Random image programs: small expressions of coordinates, in the spirit of shader programs but our own family, drawn from numbers.

"Procedural Image Programs for Representation Learning" (2022) renders thousands of OpenGL programs that people wrote; those are not free to pass
on. Here a program is drawn: one to four *fields* (waves, noise, distances, cells), each of coordinates that were turned, folded, tiled or
warped, joined in pairs as a random tree, and coloured. A program's pictures differ by time and by small changes of its numbers.

All pictures of a batch are made at once, whatever their programs: an interpreter of fixed instructions, each applied to those planes that have
it, with operands of their own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from ..core import rng
from .base import Generator, Options
from .registry import register

FIELDS, WARPS = 4, 4  # at most, of a program and of a field
LATTICE = 8  # random values along a side of a field's table, which repeats
PREVIEW, TIMES, LEAST, TRIES = (
    32,
    (0.5, 4.0, 9.0),
    8.0,
    32,
)  # a program is drawn again unless its preview varies by so many grey levels at each time
STEEP = 4.0  # the limit of a field's values
WOBBLE = 0.05  # of a program's numbers from picture to picture
Planes = tuple[Tensor, Tensor]  # x and y, float (m, s, s), the picture is −1 … 1


@dataclass(frozen=True)
class ProgramsOptions(Options):
    """``programs``: how many there are; picture i is of program i mod programs, which is its class."""

    programs: int = 10_000
    at_least: ClassVar = {"programs": 1}
    at_most: ClassVar = {"programs": 1_000_000_000}


@register("programs")
class Programs(Generator):
    """Pictures of random programs: fields of warped coordinates, joined and coloured; each program is a class of endless pictures."""

    Options = ProgramsOptions
    stream = "programs"
    work_bytes = 1 << 20

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self._tries: dict[
            tuple[int, int], int
        ] = {}  # (seed, program) → the first draw that was kept

    def labels(self, indices: Any) -> Tensor:
        """Program of each picture, int64 (n,)."""
        return torch.as_tensor(indices, dtype=torch.int64) % self.options.programs

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        drawn = rng.fold(
            rng.key("program", seed, indices % self.options.programs, device=keys.device),
            self._kept(indices, seed),
        )
        return render(drawn, 0.1 + 9.9 * rng.uniform(rng.fold(keys, 0)), size, keys)

    def _kept(self, indices: Tensor, seed: int) -> Tensor:
        """Which draw of each picture's program is the first whose preview is neither flat nor saturated, int64 (n,)."""
        programs = indices % self.options.programs
        unknown = torch.tensor(
            sorted({p for p in programs.tolist() if (seed, p) not in self._tries}),
            dtype=torch.int64,
            device=indices.device,
        )
        for draw in range(TRIES):
            if not len(unknown):
                break
            keys = rng.fold(rng.key("program", seed, unknown, device=indices.device), draw)
            good = varied(keys) if draw + 1 < TRIES else torch.ones(len(unknown), dtype=torch.bool)
            self._tries |= {
                (seed, p): draw
                for p, kept in zip(unknown.tolist(), good.tolist(), strict=True)
                if kept
            }
            unknown = unknown[~good]
        return torch.tensor(
            [self._tries[seed, p] for p in programs.tolist()],
            dtype=torch.int64,
            device=indices.device,
        )


def varied(keys: Tensor) -> Tensor:
    """Whether programs (n,) show something at each of three times: grey levels with a standard deviation of at least LEAST. bool (n,)."""
    time = torch.tensor(TIMES, device=keys.device).repeat_interleave(len(keys))
    shown = render(keys.repeat(len(TIMES)), time, PREVIEW).float().mean(1).flatten(1).std(1)
    return shown.view(len(TIMES), -1).amin(0) >= LEAST


def render(keys: Tensor, time: Tensor, size: int, wobble: Tensor | None = None) -> Tensor:
    """Pictures of programs at times.

    Args:
        keys: int64 (n,), of the programs. time: float (n,). size: pixels. wobble: int64 (n,), keys of the pictures: numbers of a program are
            multiplied by 1 ± WOBBLE; None leaves them.

    Returns: uint8 (n, 3, size, size).
    """
    n, device = len(keys), keys.device
    fields = 1 + (rng.uniform(rng.fold(keys, 0)) * FIELDS).long()
    operands = rng.uniform(rng.fold(keys, 1), (FIELDS, WARPS + 2, 6))
    if wobble is not None:
        change = 1 + WOBBLE * (2 * rng.uniform(rng.fold(wobble, 1), (FIELDS, WARPS + 2, 6)) - 1)
        change.masked_fill_(structure(device), 1)
        operands = (operands * change).clamp_max(1 - 2**-24)
    image, field = torch.nonzero(
        torch.arange(FIELDS, device=device) < fields[:, None], as_tuple=True
    )
    own, t = operands[image, field], time[image]
    table = 2 * rng.uniform(rng.fold(keys, 2), (FIELDS, 2, LATTICE, LATTICE))[image, field] - 1

    place = (torch.arange(size, device=device) + 0.5) * 2 / size - 1
    x, y = (
        place.expand(len(image), size, size).clone(),
        place[:, None].expand(len(image), size, size).clone(),
    )
    depth = 1 + (own[:, WARPS, 5] * WARPS).long()
    for turn in range(WARPS):
        number = torch.where(turn < depth, (own[:, turn, 0] * len(WARP)).long(), -1)
        for code, warp in enumerate(WARP):
            mine = torch.nonzero(number == code).flatten()
            if len(mine):
                p = x.index_select(0, mine), y.index_select(0, mine)
                x[mine], y[mine] = warp(
                    p, own[mine, turn, 1:, None, None].unbind(1), t[mine, None, None], table[mine]
                )
    register_ = torch.zeros((n * FIELDS, size, size), device=device)
    number = (own[:, WARPS, 0] * len(FIELD)).long()
    for code, of in enumerate(FIELD):
        mine = torch.nonzero(number == code).flatten()
        if len(mine):
            p = x.index_select(0, mine), y.index_select(0, mine)
            value = of(
                p, own[mine, WARPS, 1:, None, None].unbind(1), t[mine, None, None], table[mine]
            ).nan_to_num_(0, STEEP, -STEEP)
            value /= (
                value.abs().div_(STEEP).add_(1)
            )  # far values crowd together instead of flickering
            register_[image[mine] * FIELDS + field[mine]] = value
    values = register_.unflatten(0, (n, FIELDS))
    return colour(
        _joined(values, fields, operands[:, :, WARPS + 1], place),
        values[:, 1],
        rng.uniform(rng.fold(keys, 3), (8,)),
        time,
    )


def structure(device: torch.device) -> Tensor:
    """Which operands say what a program is, not how much of it there is: instructions, depth, and what is joined. bool (WARPS + 2, 6)."""
    found = torch.zeros((WARPS + 2, 6), dtype=torch.bool, device=device)
    found[:, 0] = found[WARPS, 5] = True
    found[WARPS + 1, 1:3] = True
    return found


def _joined(value: Tensor, fields: Tensor, operands: Tensor, place: Tensor) -> Tensor:
    """A random tree over the fields of each picture, float (n, FIELDS, s, s) → (n, s, s): in each turn two that are left become one."""
    n = len(value)
    alive = torch.arange(FIELDS, device=value.device) < fields[:, None]
    out, every = (
        value.clone(),
        torch.arange(n, device=value.device),
    )  # colours look at the values too
    for turn in range(FIELDS - 1):
        left = alive.sum(1)
        first = (operands[:, turn, 1] * left).long()
        second = (
            first + 1 + (operands[:, turn, 2] * (left - 1).clamp_min(1)).long()
        ) % left.clamp_min(1)
        order = torch.argsort((~alive).int(), dim=1, stable=True)  # the living, in their order
        low, high = (
            order.gather(1, which[:, None])[:, 0]
            for which in (torch.minimum(first, second), torch.maximum(first, second))
        )
        number = torch.where(left > 1, (operands[:, turn, 0] * len(JOIN)).long(), -1)
        for code, join in enumerate(JOIN):
            mine = torch.nonzero(number == code).flatten()
            if len(mine):
                joined = join(
                    out[mine, low[mine]],
                    out[mine, high[mine]],
                    operands[mine, turn, 3:, None, None].unbind(1),
                    place,
                )
                out[mine, low[mine]] = joined
        going = every[left > 1]
        alive[going, high[going]] = False
    return out[:, 0]  # the lowest is never the one that goes


def colour(value: Tensor, other: Tensor, u: Tensor, time: Tensor) -> Tensor:
    """From values float (n, s, s) to uint8 (n, 3, s, s) by a cosine palette of each picture; a quarter take their brightness from ``other``."""
    rate = (1 + (u[:, 0:3] * 3).floor()) * (0.5 + u[:, 3:6] / 2) / 3
    phase = (
        u[:, 6:7] + torch.arange(3, device=u.device) * (0.1 + 0.4 * u[:, 5:6]) + time[:, None] / 10
    )
    wave = (
        torch.cos(
            (value[:, None] * rate[..., None, None]).add_(phase[..., None, None]).mul_(2 * math.pi)
        )
        .mul_(0.5)
        .add_(0.5)
    )
    shaded = u[:, 7] < 0.25
    wave[shaded] *= (0.55 + 0.45 * torch.sin(2 * other[shaded]))[:, None]
    return wave.mul_(255.999).to(torch.uint8)


def _noise(x: Tensor, y: Tensor, table: Tensor) -> Tensor:
    """Value noise of period LATTICE: smooth interpolation of tables (m, c, LATTICE, LATTICE) at planes (m, s, s), float (m, c, s, s)."""
    wrapped = torch.cat((table, table[..., :1]), -1)
    wrapped = torch.cat((wrapped, wrapped[..., :1, :]), -2)
    at = x.new_empty((2, *x.shape))
    for plane, out in zip((x, y), at, strict=True):
        whole = plane.floor()
        part = plane - whole
        smooth = (part * -2).add_(3).mul_(part).mul_(part)
        torch.add(_wrapped(whole).add_(smooth).mul_(2 / LATTICE), -1, out=out)
    return grid_sample(
        wrapped, at.permute(1, 2, 3, 0), mode="bilinear", padding_mode="border", align_corners=True
    )


def _wrapped(x: Tensor, period: float = LATTICE) -> Tensor:
    """x modulo ``period``, a power of two, exactly: a third of the time of ``torch.remainder``."""
    below = (x / period).floor_().mul_(period)
    return torch.sub(x, below, out=below)


def _rotated(p: Planes, cos: Tensor, sin: Tensor) -> Planes:
    return (p[0] * cos).sub_(p[1] * sin), (p[0] * sin).add_(p[1] * cos)


def _turn(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    angle, scale = 2 * math.pi * u[0] + (u[1] - 0.5) * t * 0.5, 2 ** (3 * u[2] - 1)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    x, y = _rotated(p, cos, sin)
    return x.add_(u[3] - 0.5), y.add_(u[4] - 0.5)


def _polar(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    arms = (1 + (5 * u[0]).floor()) / (2 * math.pi) * 2
    return (p[0].square() + p[1].square()).clamp_min(1e-6).log() / 2 + (
        u[1] - 0.5
    ) * t * 0.3, torch.atan2(p[1], p[0]) * arms


def _fold(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    return p[0].abs() - 0.5 * u[0], p[1].abs() - 0.5 * u[1]


def _tile(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    number = 1 + (3 * u[0]).floor()
    return tuple(_wrapped(plane * (number / 2) + 0.5, 1).sub_(0.5).mul_(2) for plane in p)  # type: ignore[return-value]


def _swirl(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    angle = (6 * u[0] - 3 + (u[2] - 0.5) * t * 0.2) * torch.exp(
        -(p[0].square() + p[1].square()) / (0.1 + u[1])
    )
    cos, sin = torch.cos(angle), torch.sin(angle)
    return _rotated(p, cos, sin)


def _drift(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    rate, reach = 1 + 3 * u[0], 0.1 + 0.6 * u[1]
    across, down = (
        _noise((p[0] * rate).add_(0.2 * t * u[2]), p[1] * rate, table)
        .mul_(reach[:, None])
        .unbind(1)
    )
    return across.add_(p[0]), down.add_(p[1])


def _invert(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    x, y = p[0] - (u[0] - 0.5), p[1] - (u[1] - 0.5)
    square = (x * x + y * y).clamp_min(1e-3) / (0.3 + u[2])
    return (x / square).clamp(-16, 16), (y / square).clamp(-16, 16)


def _wave(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    angle, rate = 2 * math.pi * u[0], math.pi * 2 ** (3 * u[1])
    return torch.sin(
        (p[0] * torch.cos(angle) + p[1] * torch.sin(angle)) * rate
        + 2 * math.pi * u[2]
        + (u[3] - 0.5) * t
    )


def _clouds(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    rate, rough = 1 + 3 * u[0], 0.3 + 0.4 * u[1]
    out = _noise((p[0] * rate).add_(0.2 * t * u[2]), p[1] * rate, table[:, :1])[:, 0]
    for octave in (1, 2):
        finer = _noise(
            (p[0] * (rate * 2**octave)).add_(3.7 * octave), p[1] * (rate * 2**octave), table[:, 1:]
        )[:, 0]
        out += finer.mul_(rough**octave)
    return out.mul_(1.5)


def _disc(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    return 2 * (
        (p[0].square() + p[1].square()).sqrt() - (0.2 + 0.8 * u[0]) + 0.1 * torch.sin(t * u[1])
    )


def _box(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    return 2 * torch.maximum(p[0].abs() - (0.1 + 0.8 * u[0]), p[1].abs() - (0.1 + 0.8 * u[1]))


def _line(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    angle = 2 * math.pi * u[0]
    return 2 * (p[0] * torch.cos(angle) + p[1] * torch.sin(angle) + u[1] - 0.5).abs()


def _star(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    arms = 3 + (6 * u[0]).floor()
    around = torch.cos(torch.atan2(p[1], p[0]) * arms + (u[1] - 0.5) * t)
    return 2 * (
        (p[0].square() + p[1].square()).sqrt() - (0.3 + 0.5 * u[2]) * (1 + 0.5 * u[3] * around)
    )


def _squares(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    rate = 1 + 4 * u[0]
    return _wrapped((p[0] * rate).floor_().add_((p[1] * rate).floor_()), 2) * (0.5 + u[1])


def _stripes(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    return (_wrapped(p[0] * (1 + 4 * u[0]) + (u[1] + 0.05 * t), 1) < 0.2 + 0.6 * u[2]).to(
        p[0].dtype
    ) * (0.5 + u[3])


def _rays(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    return torch.sin(
        torch.atan2(p[1], p[0]) * (2 + (8 * u[0]).floor())
        + 6 * u[1] * (p[0].square() + p[1].square()).sqrt()
        + (u[2] - 0.5) * t
    )


def _cells(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    """Distance to the nearest of jittered points, or how much farther the second is (Worley 1996)."""
    rate = 1 + 2 * u[0]
    x, y = p[0] * rate, p[1] * rate
    column, row = x.floor(), y.floor()
    padded, side = (
        pad(table.mul(0.45).add_(0.5), (1, 1, 1, 1), mode="circular").flatten(2),
        LATTICE + 2,
    )
    corner = (
        (_wrapped(row).mul_(side).add_(_wrapped(column))).long().flatten(1)
    )  # of the nine cells around a place: where the first lies in the table
    right, below = column.sub_(x), row.sub_(y)
    first, second = torch.full_like(x, 9), torch.full_like(x, 9)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            across, down = padded[..., (dy + 1) * side + dx + 1 :].unbind(1)
            away = across.gather(1, corner).view_as(x).add_(right).add_(dx).square_()
            away += down.gather(1, corner).view_as(x).add_(below).add_(dy).square_()
            second = torch.minimum(second, torch.maximum(first, away), out=second)
            first = torch.minimum(first, away, out=first)
    return torch.where(u[1] < 0.5, first.sqrt() * 2 - 1, (second.sqrt() - first.sqrt()) * 2)


def _smooth_least(a: Tensor, b: Tensor, u: Any, place: Tensor) -> Tensor:
    sharp = 1 + 7 * u[0]
    return -torch.logaddexp(-sharp * a, -sharp * b) / sharp


def _side(a: Tensor, b: Tensor, u: Any, place: Tensor) -> Tensor:
    angle = 2 * math.pi * u[0]
    return torch.where(
        place * torch.cos(angle) + place[:, None] * torch.sin(angle) > u[1] - 0.5, a, b
    )


WARP: tuple[Callable[[Planes, Any, Tensor, Tensor], Planes], ...] = (
    _turn,
    _polar,
    _fold,
    _tile,
    _swirl,
    _drift,
    _invert,
)
FIELD: tuple[Callable[[Planes, Any, Tensor, Tensor], Tensor], ...] = (
    _wave, _clouds, _disc, _box, _line, _star, _squares, _stripes, _rays, _cells,
)  # fmt: skip
JOIN: tuple[Callable[[Tensor, Tensor, Any, Tensor], Tensor], ...] = (
    lambda a, b, u, place: a + b,
    lambda a, b, u, place: a * b,
    lambda a, b, u, place: torch.minimum(a, b),
    lambda a, b, u, place: torch.maximum(a, b),
    _smooth_least,
    _side,
    lambda a, b, u, place: torch.sin((1 + 4 * u[0]) * (a + b)),
)
