"""Counter-based random numbers: every number is a pure function of (key, counter), on any device
and in any batch.

A key is an int64 mixed from a stream name and integers; number ``c`` of a key is splitmix64
(Steele, Lea, Flood 2014) evaluated at ``key + (c + 1)·γ``. Wrapping int64 arithmetic is the same on
CPU and GPU, so the bits are too. Each 64-bit word gives two 24-bit uniforms.
"""

import hashlib
import math

import torch
from torch import Tensor

from .errors import ParameterError
from .options import LEAST, whole

_GAMMA = 0x9E3779B97F4A7C15 - (1 << 64)  # 2⁶⁴ / golden ratio, as a signed integer
_MIX1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX2 = 0x94D049BB133111EB - (1 << 64)


def _finalise(z: Tensor) -> Tensor:
    """splitmix64's bijective mixing of int64, in place; logical shifts mask the sign extension."""
    z ^= (z >> 30) & ((1 << 34) - 1)
    z *= _MIX1
    z ^= (z >> 27) & ((1 << 37) - 1)
    z *= _MIX2
    z ^= (z >> 31) & ((1 << 33) - 1)
    return z


def _filled(value: int, device: str | torch.device) -> Tensor:
    """An int64 scalar made on its device: a copy would make the host wait for a GPU."""
    return torch.full((), value, dtype=torch.int64, device=device)


def _integers(part: int | Tensor, device: str | torch.device) -> Tensor:
    """What a key is mixed with, as int64. Raises ParameterError for all but 64-bit integers."""
    if not isinstance(part, Tensor):
        return _filled(whole("part of a random key", part, LEAST), device)
    if part.is_floating_point() or part.is_complex():
        raise ParameterError(f"part of a random key, of type {part.dtype}: must be torch.int64")
    return part.to(device, torch.int64)


def key(stream: str, *parts: int | Tensor, device: str | torch.device = "cpu") -> Tensor:
    """Mix a stream name and integers (scalars or int64 tensors that broadcast) into int64 keys of
    the broadcast shape.

    Raises: ParameterError for fractions and what is beyond 64 bits.
    """
    digest = hashlib.sha256(stream.encode()).digest()[:8]
    mixed = _filled(int.from_bytes(digest, "little", signed=True), device)
    for part in parts:
        mixed = _finalise((mixed + _GAMMA) ^ _integers(part, device) * _MIX2)
    return mixed


def fold(keys: Tensor, *parts: int | Tensor) -> Tensor:
    """Derive further int64 keys from ``keys`` and integers, which broadcast against each other."""
    for part in parts:
        keys = _finalise((keys + _GAMMA) ^ _integers(part, keys.device) * _MIX2)
    return keys


def bits(keys: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """64 random bits each: int64 of shape ``keys.shape + shape``, row by row."""
    count = math.prod(shape)
    counter = torch.arange(1, count + 1, device=keys.device).mul_(_GAMMA)
    return _finalise(keys.unsqueeze(-1) + counter).view(*keys.shape, *shape)


def uniform(
    keys: Tensor, shape: tuple[int, ...] = (), low: float = 0.0, high: float = 1.0
) -> Tensor:
    """float32 uniform on the 2²⁴ points of [low, high): shape ``keys.shape + shape``.

    The first ones do not depend on how many follow.
    """
    count = math.prod(shape)
    words = bits(keys, ((count + 1) // 2,)).view(torch.int32).view(*keys.shape, -1)[..., :count]
    u = ((words >> 8) & 0xFFFFFF).to(torch.float32).mul_(2.0**-24)
    if (low, high) != (0.0, 1.0):
        u = u.mul_(high - low).add_(low)
    return u.reshape(*keys.shape, *shape)


def normal(keys: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """float32 standard normal by Box and Muller, shape ``keys.shape + shape``."""
    count = math.prod(shape)
    half = (count + 1) // 2
    u = uniform(keys, (half, 2))
    radius = torch.sqrt(-2 * torch.log1p(-u[..., 0]))
    angle = 2 * math.pi * u[..., 1]
    both = torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), dim=-1)
    return both.reshape(*keys.shape, 2 * half)[..., :count].reshape(*keys.shape, *shape)


def integers(keys: Tensor, low: int, high: int, shape: tuple[int, ...] = ()) -> Tensor:
    """int64 uniform on low … high − 1, shape ``keys.shape + shape``; by multiply-shift of 32 bits,
    whose bias is below (high − low)/2³².

    Raises: ParameterError for a range that is empty or larger than 2³¹.
    """
    if not 0 < high - low <= 1 << 31:  # of more, the products below would leave 64 bits
        raise ParameterError(f"integers from {low} to {high}: must be between 1 and 2^31 of them")
    count = math.prod(shape)
    words = bits(keys, ((count + 1) // 2,)).view(torch.int32).view(*keys.shape, -1)[..., :count]
    unsigned = words.to(torch.int64) & 0xFFFFFFFF
    return (unsigned * (high - low) >> 32).add_(low).reshape(*keys.shape, *shape)


def permutation(keys: Tensor, n: int) -> Tensor:
    """A random order of 0 … n − 1 for a scalar key: int64 (n,)."""
    return torch.argsort(bits(keys, (n,)), stable=True)
