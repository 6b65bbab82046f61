"""The network of the learned text-to-image model: a U-Net over images, given a time and a caption
(as in diffusion models since Ho et al. 2020)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import rng
from ..core.errors import ParameterError
from ..learn.text import TextTower
from .norm import group_norm

MULTIPLIERS = (1, 2, 2, 2)  # of the base channels, by resolution
ATTENTION = 16  # side in pixels up to which places look at each other
GROUPS = 32  # of channels in a norm, where they divide them; default of Wu & He 2018
HEAD = 64  # channels of an attention head; chosen here
DROPOUT = 0.1  # Ho et al. 2020, for CIFAR-10
FREQUENCIES = 64  # of the time's sine and cosine


def native(device: torch.device) -> bool:
    """Whether torch's own group norm is used; :mod:`synthlearn.text2image.norm` is the other."""
    return device.type == "cpu"


class _Norm(nn.GroupNorm):
    """Norm over groups of channels, then SiLU if asked; what it is scaled and shifted by may differ
    from image to image."""

    def __init__(self, channels: int, silu: bool = True) -> None:
        super().__init__(math.gcd(GROUPS, channels), channels)
        self.silu = silu

    def forward(
        self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """Norm of x (n, c, h, w), times 1 + scale, plus shift, both (n, c)."""
        if native(x.device):
            x = super().forward(x)
            if scale is not None and shift is not None:
                x = torch.addcmul(shift[:, :, None, None], x, 1 + scale[:, :, None, None])
            return functional.silu(x) if self.silu else x
        weight, bias = self.weight[None], self.bias[None]
        if scale is not None and shift is not None:
            weight, bias = (
                torch.addcmul(weight, weight, scale),
                torch.addcmul(bias, bias, scale) + shift,
            )
        return group_norm(x, weight, bias, self.num_groups, self.silu, self.eps)


class _Residual(nn.Module):
    """Two convolutions, the second one's norm scaled and shifted by the embedding; added to the
    input."""

    def __init__(self, into: int, out: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_Norm(into), nn.Conv2d(into, out, 3, padding=1))
        self.norm = _Norm(out)
        self.second = _last(out)
        self.scale_shift = nn.Linear(embedding, 2 * out)
        self.skip = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.norm(self.first(x), *self.scale_shift(e).chunk(2, 1))
        return self.skip(x) + self.second(functional.dropout(h, DROPOUT, self.training))


def _last(channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, channels, 3, padding=1)
    layer.zero = True  # type: ignore[assignment]  # starts at 0, see UNet
    return layer


class _Attention(nn.Module):
    """Every place looks at every other; added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _Norm(channels, silu=False)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.out.zero = True  # type: ignore[assignment]
        self.heads = max(1, channels // HEAD)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        of_places = (
            self.qkv(self.norm(x))
            .permute(0, 2, 3, 1)
            .reshape(n, h * w, 3, self.heads, c // self.heads)
        )  # a view where channels are last
        q, k, v = (part.transpose(1, 2) for part in of_places.unbind(2))
        seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h, w, c)
        return x + self.out(seen.permute(0, 3, 1, 2))


class _Level(nn.Module):
    def __init__(self, into: int, out: int, embedding: int, side: int) -> None:
        super().__init__()
        self.residual, self.attention = (
            _Residual(into, out, embedding),
            _Attention(out) if side <= ATTENTION else nn.Identity(),
        )

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.attention(self.residual(x, e))


class UNet(nn.Module):
    """Velocity of flow matching at noisy images.

    Args:
        texts: all captions.
        side: of the images in pixels, divisible by patch · 2^(levels − 1).
        base: channels at full resolution.
        levels: resolutions, each half of the one before, 1 … 4.
        blocks: at each resolution on the way down, one more on the way up.
        patch: side of the squares of pixels that are one place of the network; 2 does a quarter of
            the work.
        seed: of the initial weights, by counter-based numbers.

    Raises: ParameterError for a side that cannot be halved so often.
    """

    angles: Tensor

    def __init__(
        self,
        texts: Sequence[str],
        side: int,
        base: int = 64,
        levels: int = 3,
        blocks: int = 2,
        patch: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if side % (patch << (levels - 1)):
            what = f"side = {side}, levels = {levels}, patch = {patch}"
            raise ParameterError(f"{what}: side must be divisible by patch · 2^(levels − 1)")
        self.patch, side = patch, side // patch
        embedding = 4 * base
        self.tower, self.free = (
            TextTower(texts, embedding, seed),
            nn.Parameter(torch.zeros(embedding)),
        )
        self.register_buffer(
            "angles", math.pi * 1000 ** (torch.arange(FREQUENCIES) / FREQUENCIES), persistent=False
        )
        self.time = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.enter = nn.Conv2d(3 * patch**2, base, 3, padding=1)
        self.down, self.up, kept, channels = nn.ModuleList(), nn.ModuleList(), [base], base
        for level in range(levels):
            for _ in range(blocks):
                self.down.append(
                    _Level(channels, base * MULTIPLIERS[level], embedding, side >> level)
                )
                channels = base * MULTIPLIERS[level]
                kept.append(channels)
            if level + 1 < levels:
                self.down.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
                kept.append(channels)
        self.middle = nn.ModuleList(
            [_Level(channels, channels, embedding, 0), _Level(channels, channels, embedding, side)]
        )
        for level in reversed(range(levels)):
            for _ in range(blocks + 1):
                self.up.append(
                    _Level(
                        channels + kept.pop(), base * MULTIPLIERS[level], embedding, side >> level
                    )
                )
                channels = base * MULTIPLIERS[level]
            if level:
                self.up.append(nn.Conv2d(channels, channels, 3, padding=1))
        out = nn.Conv2d(channels, 3 * patch**2, 3, padding=1)
        out.zero = True  # type: ignore[assignment]
        self.leave = nn.Sequential(_Norm(channels), out)
        self._initialise(seed)

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        """Weights of variance 1/inputs, those that close a branch 0: at the start the network is
        nearly the identity of its branches."""
        for number, (name, module) in enumerate(self.named_modules()):
            if not isinstance(module, nn.Conv2d | nn.Linear) or name.startswith("tower"):
                continue
            scale: Any = 0.0 if getattr(module, "zero", False) else module.weight[0].numel() ** -0.5
            module.weight.copy_(
                rng.normal(rng.key("unet", seed, number), tuple(module.weight.shape)) * scale
            )
            if module.bias is not None:
                module.bias.zero_()

    def forward(self, x: Tensor, t: Tensor, captions: Tensor) -> Tensor:
        """Velocity ε − x₀, like x: float (n, 3, s, s).

        Args:
            t: times (n,) in 0 … 1. captions: by number, int64 (n,), −1: none.
        """
        angle = t[:, None] * self.angles
        text = self.tower(captions.clamp_min(0))
        condition = torch.where((captions < 0)[:, None], self.free, text)
        e = functional.silu(self.time(torch.cat((angle.sin(), angle.cos()), 1)) + condition)
        x = self.enter(functional.pixel_unshuffle(x, self.patch))
        kept = [x]
        for layer in self.down:
            x = layer(x, e) if isinstance(layer, _Level) else layer(x)
            kept.append(x)
        for layer in self.middle:
            x = layer(x, e)
        for layer in self.up:
            x = (
                layer(torch.cat((x, kept.pop()), 1), e)
                if isinstance(layer, _Level)
                else layer(functional.interpolate(x, scale_factor=2.0))
            )
        return functional.pixel_shuffle(self.leave(x), self.patch)
