"""A text-to-image model trained from scratch on captioned real images: pictures of captions by a U-Net and flow matching."""

from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import files, rng
from ..image import resize
from . import flow
from .captions import CaptionOptions, CaptionSource
from .sampling import guided, integrate, noise_levels, to_bytes

NOISE = (20.0, 0.02)  # σ from first to last: training draws t = σ/(1 + σ) as sigmoid(normal), hardly ever beyond
AT_ONCE = {"cpu": 50, "cuda": 1000}  # pictures


@dataclass(frozen=True)
class LearnedOptions(flow.Recipe, CaptionOptions):
    """Besides those of captions and of :class:`synthlearn.text2image.flow.Recipe`, ``w``: guidance. ``steps``: of Heun's method, 10 … 50."""

    w: float = 1.0
    steps: int = 24
    at_least: ClassVar = {"w": 0.0, "steps": 2}
    at_most: ClassVar = {"w": 1000.0, "steps": 1000}


class Learned(CaptionSource):
    """Pictures of captions by a model trained on their real images; picture i is sample ⌊i/number⌋ of caption i mod number.

    Noise is a function of (seed, caption, sample), so sweeps over ``w`` and ``steps`` share it. The model is one for all seeds.
    """

    name = "learned"
    Options = LearnedOptions

    def recipe(self) -> flow.Recipe:
        """How the model is trained."""
        return flow.Recipe(**{f.name: getattr(self.options, f.name) for f in fields(flow.Recipe)})

    def identity(self) -> str:
        """Digest of all that decides the model: images, captions, recipe; not how it is sampled."""
        sampled = ("w", "steps", "told")
        spec = self.spec()
        return files.digest({**spec, "options": {key: value for key, value in spec["options"].items() if key not in sampled}})

    def path(self) -> Path:
        """The trained model's file."""
        return files.runs() / "models" / f"{self.identity()[:24]}.safetensors"

    def prepare(self, device: str) -> None:
        """Train the model unless its file is there."""
        if not self.path().exists():
            images, captions = self.real()
            flow.train(self.path(), images.images, captions.ids, captions.texts, self.recipe(), self.identity(), device)

    @torch.no_grad()
    def sample(self, indices: Any, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s), s the smaller of ``size`` and the real images' own side, but at least 32 where ``size`` is."""
        o, index = self.options, self.asked(indices, size, seed, device)
        self.prepare(device)
        network, side = _loaded(self.path(), device)
        levels, parts = noise_levels(o.steps, *NOISE), []
        for part in index.split(AT_ONCE[torch.device(device).type]) if len(index) else ():
            caption, number = part.to(device) % o.number, part.to(device) // o.number
            noise = rng.normal(rng.key("learned noise", seed, caption, number, device=device), (3, side, side)).view(len(part), 3, side, side)
            told, free = flow.denoiser(network, caption), flow.denoiser(network, torch.full_like(caption, -1))
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=o.precision == "bf16"):
                x = integrate(guided(told, free, o.w), noise.contiguous(memory_format=torch.channels_last) * levels[0], levels)
            parts.append(to_bytes(x))
        out = torch.cat(parts) if parts else torch.empty((0, 3, side, side), dtype=torch.uint8, device=device)
        return resize(out, min(size, max(side, 32)))

    def spec(self) -> dict[str, Any]:
        """As of any source of captions."""
        return {**super().spec(), "recipe": asdict(self.recipe())}


@cache
def _loaded(path: Path, device: str) -> tuple[Any, int]:
    network, header = flow.load(path, device)
    return network, header["side"]
