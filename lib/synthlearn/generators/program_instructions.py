"""Instructions of random image programs: warps of coordinates, fields on them, joins of fields.

An instruction works on any number of planes at once, each with operands of its own: ``u``, five
uniform numbers (m, 1, 1) each, the time ``t`` (m, 1, 1), and a ``table`` (m, 2, LATTICE, LATTICE)
of numbers in −1 … 1. Numbers in their formulas are chosen here.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

LATTICE = 8  # random values along a side of a field's table, which repeats; chosen here
LEAST_SQUARE = 1e-3  # of a distance that is divided by; chosen here
FARTHEST = 16  # coordinate after an inversion; chosen here

Planes = tuple[Tensor, Tensor]  # x and y, float (m, s, s), the image is −1 … 1
Warp = Callable[[Planes, Any, Tensor, Tensor], Planes]  # of planes, u, t, table
Field = Callable[[Planes, Any, Tensor, Tensor], Tensor]  # of the same, float (m, s, s)
Join = Callable[[Tensor, Tensor, Any, Tensor], Tensor]  # of two fields, three numbers, coordinates


def lattice_noise(x: Tensor, y: Tensor, table: Tensor) -> Tensor:
    """Value noise of period LATTICE at planes x and y (m, s, s): float (m, c, s, s).

    table: float (m, c, LATTICE, LATTICE), the values at whole places, interpolated smoothly.
    """
    periodic = torch.cat((table, table[..., :1]), -1)
    periodic = torch.cat((periodic, periodic[..., :1, :]), -2)
    at = x.new_empty((2, *x.shape))
    for plane, out in zip((x, y), at, strict=True):
        whole = plane.floor()
        part = plane - whole
        smooth = (part * -2).add_(3).mul_(part).mul_(part)
        torch.add(_wrap(whole).add_(smooth).mul_(2 / LATTICE), -1, out=out)
    grid = at.permute(1, 2, 3, 0)
    return grid_sample(periodic, grid, "bilinear", padding_mode="border", align_corners=True)


def _wrap(x: Tensor, period: float = LATTICE) -> Tensor:
    """x modulo ``period``, a power of two, exactly: a third of the time of ``torch.remainder``."""
    below = (x / period).floor_().mul_(period)
    return torch.sub(x, below, out=below)


def _rotate(p: Planes, cos: Tensor, sin: Tensor) -> Planes:
    return (p[0] * cos).sub_(p[1] * sin), (p[0] * sin).add_(p[1] * cos)


def _turn(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    angle, scale = 2 * math.pi * u[0] + (u[1] - 0.5) * t * 0.5, 2 ** (3 * u[2] - 1)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    x, y = _rotate(p, cos, sin)
    return x.add_(u[3] - 0.5), y.add_(u[4] - 0.5)


def _polar(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    arms = (1 + (5 * u[0]).floor()) / (2 * math.pi) * 2
    depth = (p[0].square() + p[1].square()).clamp_min(1e-6).log() / 2
    return depth + (u[1] - 0.5) * t * 0.3, torch.atan2(p[1], p[0]) * arms


def _fold(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    return p[0].abs() - 0.5 * u[0], p[1].abs() - 0.5 * u[1]


def _tile(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    number = 1 + (3 * u[0]).floor()
    x, y = (_wrap(plane * (number / 2) + 0.5, 1).sub_(0.5).mul_(2) for plane in p)
    return x, y


def _swirl(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    near = torch.exp(-(p[0].square() + p[1].square()) / (0.1 + u[1]))
    angle = (6 * u[0] - 3 + (u[2] - 0.5) * t * 0.2) * near
    cos, sin = torch.cos(angle), torch.sin(angle)
    return _rotate(p, cos, sin)


def _drift(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    rate, reach = 1 + 3 * u[0], 0.1 + 0.6 * u[1]
    shift = lattice_noise((p[0] * rate).add_(0.2 * t * u[2]), p[1] * rate, table)
    across, down = shift.mul_(reach[:, None]).unbind(1)
    return across.add_(p[0]), down.add_(p[1])


def _invert(p: Planes, u: Any, t: Tensor, table: Tensor) -> Planes:
    x, y = p[0] - (u[0] - 0.5), p[1] - (u[1] - 0.5)
    square = (x * x + y * y).clamp_min(LEAST_SQUARE) / (0.3 + u[2])
    return (x / square).clamp(-FARTHEST, FARTHEST), (y / square).clamp(-FARTHEST, FARTHEST)


def _wave(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    angle, rate = 2 * math.pi * u[0], math.pi * 2 ** (3 * u[1])
    along = (p[0] * torch.cos(angle) + p[1] * torch.sin(angle)) * rate
    return torch.sin(along + 2 * math.pi * u[2] + (u[3] - 0.5) * t)


def _clouds(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    rate, rough = 1 + 3 * u[0], 0.3 + 0.4 * u[1]
    out = lattice_noise((p[0] * rate).add_(0.2 * t * u[2]), p[1] * rate, table[:, :1])[:, 0]
    for octave in (1, 2):
        x = (p[0] * (rate * 2**octave)).add_(3.7 * octave)
        finer = lattice_noise(x, p[1] * (rate * 2**octave), table[:, 1:])[:, 0]
        out += finer.mul_(rough**octave)
    return out.mul_(1.5)


def _disc(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    radius = (p[0].square() + p[1].square()).sqrt()
    return 2 * (radius - (0.2 + 0.8 * u[0]) + 0.1 * torch.sin(t * u[1]))


def _box(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    return 2 * torch.maximum(p[0].abs() - (0.1 + 0.8 * u[0]), p[1].abs() - (0.1 + 0.8 * u[1]))


def _line(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    angle = 2 * math.pi * u[0]
    return 2 * (p[0] * torch.cos(angle) + p[1] * torch.sin(angle) + u[1] - 0.5).abs()


def _star(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    arms = 3 + (6 * u[0]).floor()
    around = torch.cos(torch.atan2(p[1], p[0]) * arms + (u[1] - 0.5) * t)
    radius = (p[0].square() + p[1].square()).sqrt()
    return 2 * (radius - (0.3 + 0.5 * u[2]) * (1 + 0.5 * u[3] * around))


def _squares(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    rate = 1 + 4 * u[0]
    return _wrap((p[0] * rate).floor_().add_((p[1] * rate).floor_()), 2) * (0.5 + u[1])


def _stripes(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    inside = _wrap(p[0] * (1 + 4 * u[0]) + (u[1] + 0.05 * t), 1) < 0.2 + 0.6 * u[2]
    return inside.to(p[0].dtype) * (0.5 + u[3])


def _rays(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    around = torch.atan2(p[1], p[0]) * (2 + (8 * u[0]).floor())
    twist = 6 * u[1] * (p[0].square() + p[1].square()).sqrt()
    return torch.sin(around + twist + (u[2] - 0.5) * t)


def _cells(p: Planes, u: Any, t: Tensor, table: Tensor) -> Tensor:
    """Distance to the nearest of jittered points, or how much farther the next is: Worley 1996."""
    rate = 1 + 2 * u[0]
    x, y = p[0] * rate, p[1] * rate
    column, row = x.floor(), y.floor()
    padded = pad(table.mul(0.45).add_(0.5), (1, 1, 1, 1), mode="circular").flatten(2)
    side = LATTICE + 2
    # of the nine cells around a place: where the first lies in the table
    corner = (_wrap(row).mul_(side).add_(_wrap(column))).long().flatten(1)
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
    along = place * torch.cos(angle) + place[:, None] * torch.sin(angle)
    return torch.where(along > u[1] - 0.5, a, b)


WARPS: tuple[Warp, ...] = (_turn, _polar, _fold, _tile, _swirl, _drift, _invert)
FIELDS: tuple[Field, ...] = (
    _wave,
    _clouds,
    _disc,
    _box,
    _line,
    _star,
    _squares,
    _stripes,
    _rays,
    _cells,
)
JOINS: tuple[Join, ...] = (
    lambda a, b, u, place: a + b,
    lambda a, b, u, place: a * b,
    lambda a, b, u, place: torch.minimum(a, b),
    lambda a, b, u, place: torch.maximum(a, b),
    _smooth_least,
    _side,
    lambda a, b, u, place: torch.sin((1 + 4 * u[0]) * (a + b)),
)
