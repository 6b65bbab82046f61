"""Pictures of captions by a Stable Diffusion model that the user has, or downloads: StableRep's images at full scale.

Tian et al. 2023: Stable Diffusion v1-5, DDIM without noise, 50 steps, 512 px, guidance 2 for StableRep (the release's command).
"""

import hashlib
import importlib
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import files, rng
from ..errors import CheckpointError, DataError, ParameterError
from .base import Generator, Options, register

PRICE = (
    "a folder with a diffusers pipeline, or its name on the Hugging Face hub. StableRep's is stable-diffusion-v1-5/stable-diffusion-v1-5: a download of "
    "4 GB under the CreativeML OpenRAIL-M licence, which restricts some uses; about 0.8 s per picture on an A100, minutes on a CPU"
)
AT_ONCE = {"cpu": 1, "cuda": 16}  # pictures of 512 px


@dataclass(frozen=True)
class TextToImageOptions(Options):
    """``model``: folder or name on the hub. ``captions``: a text file, one a line. ``w``: guidance, 1 is none. ``steps``: of DDIM. ``side``: in pixels
    at which it paints, a multiple of 8; pictures are then reduced."""

    model: str = ""
    captions: str = ""
    w: float = 2.0
    steps: int = 50
    side: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise ParameterError(f"option model = '': name {PRICE}")
        for name, value, good in (("w", self.w, self.w >= 0), ("steps", self.steps, self.steps >= 1), ("side", self.side, self.side % 8 == 0 < self.side)):
            if not good:
                raise ParameterError(f"option {name} = {value!r}: w must be 0 or more, steps 1 or more, side a multiple of 8")


@register("text2image")
class TextToImage(Generator):
    """Stable Diffusion's pictures of given captions; picture i is sample ⌊i/n⌋ of caption i mod n. Needs a model, see its option.

    The first noise is a function of (seed, caption, sample) alone, so guidance and steps can be compared picture by picture.
    """

    Options = TextToImageOptions

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        path = Path(options.captions)
        if not path.is_file():
            raise DataError(f"option captions = {options.captions!r}: no such file; give a text file with one caption a line")
        self.captions = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not self.captions:
            raise DataError(f"option captions = {options.captions!r}: holds no caption; write one a line")
        self.lock = threading.Lock()  # a pipeline keeps its state in its scheduler

    def labels(self, indices: Any) -> Tensor:
        """Caption of each picture, int64 (n,)."""
        return torch.as_tensor(indices) % len(self.captions)

    def texts(self) -> tuple[str, ...]:
        """The captions by number."""
        return tuple(self.captions)

    def spec(self) -> dict[str, Any]:
        """As of any generator; captions by their content, a model in a folder by that of its files."""
        found = super().spec()
        folder = Path(self.options.model)
        content = hashlib.sha256("\n".join(self.captions).encode()).hexdigest()
        model = _digest(folder) if folder.is_dir() else self.options.model
        return {**found, "options": {**found["options"], "captions": content, "model": model}}

    def scene_size(self, size: int) -> int:
        return max(size, self.options.side)

    def chunk(self, canvas: int, device: str) -> int:
        return max(1, AT_ONCE[torch.device(device).type] * 512**2 // canvas**2)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        o, caption, number = self.options, indices % len(self.captions), indices // len(self.captions)
        with self.lock:
            pipeline = _pipeline(o.model, str(keys.device))
            shape = (pipeline.unet.config.in_channels, size // pipeline.vae_scale_factor, size // pipeline.vae_scale_factor)
            noise = rng.normal(rng.key("text2image latents", seed, caption, number, device=keys.device), shape).view(len(indices), *shape)
            prompts = [self.captions[c] for c in caption.tolist()]
            found = pipeline(
                prompts, height=size, width=size, num_inference_steps=o.steps, guidance_scale=o.w, latents=noise.to(pipeline.unet.dtype), output_type="pt"
            )
        return (found.images.float().clamp(0, 1) * 255).round().byte()


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a pipeline's configuration and weights."""
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".safetensors", ".txt")):
        found.update(f"{path.relative_to(folder)}\0{files.sha256(path)}\0".encode())
    return found.hexdigest()


@cache
def _pipeline(model: str, device: str) -> Any:
    """The pipeline with DDIM as its sampler, in half precision on a GPU. Weights are read from safetensors files alone: nothing in them is run."""
    importlib.import_module("..vision", __package__)  # transformers imports torchvision: make sure that it can
    try:
        diffusers = importlib.import_module("diffusers")
        kind, ddim = diffusers.StableDiffusionPipeline, diffusers.DDIMScheduler
    except (ImportError, RuntimeError) as error:
        raise ParameterError("generator 'text2image': diffusers is not installed; pip install 'synthlearn[text2image]'") from error
    precision = torch.float16 if device.startswith("cuda") else torch.float32
    try:
        pipeline = kind.from_pretrained(model, use_safetensors=True, safety_checker=None, requires_safety_checker=False, torch_dtype=precision)
    except Exception as error:  # diffusers passes on whatever its hub client or file reader raises
        raise CheckpointError(f"option model = {model!r}: not readable ({str(error).splitlines()[0]}); give {PRICE}") from error
    pipeline.scheduler = ddim.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)
