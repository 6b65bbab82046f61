"""A text-to-image model trained from scratch on captioned real images: a U-Net, flow matching."""

from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import files, graph, rng
from ..data.sources import register
from . import flow
from .captions import CaptionOptions, CaptionSource
from .sampling import noise_levels, to_bytes

# σ from first to last: training draws t = σ/(1 + σ) as sigmoid(normal), hardly ever beyond
NOISE = (20.0, 0.02)
ROWS = {"cpu": 50, "cuda": 2048}  # of a batch, at most
BYTES = 200  # of memory for a row, a pixel and a base channel, at most


@dataclass(frozen=True)
class LearnedOptions(flow.Recipe, CaptionOptions):
    """Besides those of captions and of :class:`synthlearn.text2image.flow.Recipe`, ``w``: guidance.
    ``steps``: of the sampler, 15 … 50. ``real``: share of each caption's images that are its real
    images."""

    w: float = 1.0
    steps: int = 24
    real: float = 0.0
    at_least: ClassVar = {"w": 0.0, "steps": 2, "real": 0.0}
    at_most: ClassVar = {"w": 1000.0, "steps": 1000, "real": 1.0}


@register("learned")
class Learned(CaptionSource):
    """Pictures of captions by a model trained on their real images.

    Image i is sample ⌊i/number⌋ of caption i mod number. Noise is a function of (seed, caption,
    sample), so sweeps over ``w`` and ``steps`` share it. The model is one for all seeds.
    """

    name = "learned"
    Options = LearnedOptions

    def recipe(self) -> flow.Recipe:
        """How the model is trained."""
        return flow.Recipe(**{f.name: getattr(self.options, f.name) for f in fields(flow.Recipe)})

    def identity(self) -> str:
        """Digest of all that decides the model: images, captions, recipe; not how it is sampled."""
        spec = self.spec()
        for name in ("w", "steps", "real", "told"):  # of sampling
            spec["options"].pop(name, None)
        return files.digest(spec)

    def path(self) -> Path:
        """The trained model's file."""
        return files.runs() / "models" / f"{self.identity()[:24]}.safetensors"

    def prepare(self, device: str) -> None:
        """Train the model unless its file is there."""
        path = self.path()
        if not path.exists():
            images, captions = self.real()
            pictures = (images.images, captions.ids, captions.texts)
            flow.train(path, *pictures, self.recipe(), self.identity(), device)

    @torch.no_grad()
    def sample(self, indices: Any, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s); s as of :meth:`CaptionSource.resized`."""
        options, index = self.options, self.checked(indices, size, seed, device)
        caption, number = index % options.number, index // options.number
        before = (number * options.real).floor().long()  # real images among the samples before
        is_real = ((number + 1) * options.real).floor().long() > before
        self.prepare(device)
        side = _load(self.path(), device)[1]
        pictures = torch.empty((len(index), 3, side, side), dtype=torch.uint8, device=device)
        if bool(is_real.any()):
            chosen = self._real_images(caption[is_real], before[is_real])
            pictures[is_real.to(device)] = chosen.to(device)
        if not bool(is_real.all()):
            drawn = self._drawn(caption[~is_real], number[~is_real], seed, device)
            pictures[~is_real.to(device)] = drawn
        return self.resized(pictures, size)

    def _real_images(self, caption: Tensor, number: Tensor) -> Tensor:
        """Real images of captions (n,) by number (n,), from the first again after the last: uint8
        (n, 3, s, s)."""
        images, captions = self.real()
        order = captions.ids.argsort(stable=True)
        counts = captions.ids.bincount()
        first = counts.cumsum(0) - counts
        return images.images[order[first[caption] + number % counts[caption]]]

    def _drawn(self, caption: Tensor, number: Tensor, seed: int, device: str) -> Tensor:
        """Samples of captions (n,) by number (n,): uint8 (n, 3, s, s) on the device."""
        options, path = self.options, self.path()
        side = _load(path, device)[1]
        sampler = _sampler(path, device, options.w != 1, options.precision)
        captured = graph.captures(torch.device(device))
        levels = noise_levels(options.steps, *NOISE)
        chunk = _rows(BYTES * side**2 * options.base, device) // (1 + sampler.guided)
        parts = []
        for part in torch.arange(len(caption)).split(chunk):
            # few sizes, so that there are few graphs
            rows = 1 << (len(part) - 1).bit_length() if captured else len(part)
            filled = part[torch.arange(rows).clamp_max(len(part) - 1)]
            c, k = caption[filled].to(device), number[filled].to(device)
            keys = rng.key("learned noise", seed, c, k, device=device)
            noise = rng.normal(keys, (3, side, side)).view(rows, 3, side, side)
            parts.append(to_bytes(sampler(noise, c, levels, options.w)[: len(part)]))
        return torch.cat(parts)

    def variance_ratio(self, samples: int = 20, seed: int = 0, device: str = "cpu") -> float:
        """Variance of pixels within a caption, of samples over that of the real images.

        Both are averaged over captions. A model of the real images' law has 1 at w = 1; so does not
        one that is sampled with too few steps, or that repeats itself.

        Args:
            samples: of each caption.
        """
        images, captions = self.real()
        number, side = self.options.number, images.images.shape[-1]
        index = torch.arange(samples * number)
        pictures = self.sample(index, side, seed, device).cpu()
        variance, expected = [], []
        for c in range(number):
            real = images.images[captions.ids == c]
            if len(real) > 1:
                variance.append(pictures[index % number == c].float().var(0).mean())
                expected.append(real.float().var(0).mean())
        return float(torch.stack(variance).mean() / torch.stack(expected).mean())

    def spec(self) -> dict[str, Any]:
        """As of any source of captions."""
        return {**super().spec(), "recipe": asdict(self.recipe())}


@cache
def _load(path: Path, device: str) -> tuple[Any, int]:
    network, header = flow.load(path, device)
    return network, header["side"]


@cache
def _sampler(path: Path, device: str, guided: bool, precision: str) -> flow.Sampler:
    """Kept, and its graphs with it."""
    return flow.Sampler(_load(path, device)[0], guided, precision)


def _rows(row: int, device: str) -> int:
    """Rows of a batch, each of so many bytes; on a GPU a power of two that fits into half of what
    is free."""
    most = ROWS[torch.device(device).type]
    if torch.device(device).type != "cuda":
        return most
    free = (
        torch.cuda.mem_get_info(device)[0]
        + torch.cuda.memory_reserved(device)
        - torch.cuda.memory_allocated(device)
    )
    return max(2, min(most, 1 << max(1, free // 2 // row).bit_length() - 1))
