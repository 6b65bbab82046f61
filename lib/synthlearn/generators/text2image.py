"""Pictures of captions by a Stable Diffusion model that the user has, or downloads.

StableRep's images at full scale (Tian et al. 2023): Stable Diffusion v1-5, DDIM without noise, 50
steps, 512 px, guidance 2 for StableRep (the release's command).
"""

import array
import hashlib
import importlib
import logging
import os
import re
import sys
import threading
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from tqdm import tqdm

from ..core import files, rng
from ..core.errors import CheckpointError, DataError, ParameterError
from ..core.options import as_indices
from .base import Generator, Options
from .registry import register

PRICE = (
    "a folder with a diffusers pipeline, or its name on the Hugging Face hub and the commit as "
    "revision. StableRep's is model=stable-diffusion-v1-5/stable-diffusion-v1-5, "
    "revision=451f4fe16113bff5a5d2269ed5ad43b0592e9a14: a download of "
    "4 GB under the CreativeML OpenRAIL-M licence, which restricts some uses; about 0.8 s per "
    "picture on an A100, minutes on a CPU"
)
AT_ONCE = {"cpu": 1, "cuda": 16}  # images of 512 px
LIBRARIES = ("diffusers", "transformers", "stable_diffusion", None)  # of a pipeline's parts
MULTIPLE = 8  # of the side at which it paints


@dataclass(frozen=True)
class TextToImageOptions(Options):
    """``model``: folder or name on the hub. ``revision``: commit of a model on the hub, 40
    hexadecimal digits. ``captions``: a text file, UTF-8, one a line, no two the same.
    ``w``: guidance, 1 is none. ``steps``: of DDIM. ``side``: in pixels at which it paints, a
    multiple of 8; images are then reduced."""

    model: str = ""
    captions: str = ""
    w: float = 2.0
    steps: int = 50
    side: int = 512
    revision: str = ""
    at_least: ClassVar = {"steps": 1, "side": MULTIPLE}
    at_most: ClassVar = {"w": 100.0, "steps": 1000, "side": 2048}  # 1,000 steps is all of DDIM

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise ParameterError(f"option model = '': name {PRICE}")
        if not self.w >= 1:
            what = "must be 1 or more (1 is without guidance; diffusers guides only above it)"
            raise ParameterError(f"option w = {self.w!r}: {what}")
        if self.side % MULTIPLE:
            raise ParameterError(f"option side = {self.side}: must be a multiple of {MULTIPLE}")
        if os.path.isdir(self.model):  # noqa: PTH112  (false too for a name that cannot be a path)
            if self.revision:
                what = f"{self.model} is a folder, known by its content"
                raise ParameterError(f"option revision = {self.revision!r}: {what}; leave it out")
        elif not re.fullmatch("[0-9a-f]{40}", self.revision):
            what = f"{self.model!r} is no folder, and a model on the hub needs its commit"
            raise ParameterError(f"option revision = {self.revision!r}: {what}; give {PRICE}")


@register("text2image")
class TextToImage(Generator):
    """Stable Diffusion's images of given captions, by a model that an option names.

    Image i is sample ⌊i/n⌋ of caption i mod n. The first noise is a function of (seed, caption,
    sample) alone, so guidance and steps can be compared image by image.
    """

    Options = TextToImageOptions
    stream = "text2image"

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self.captions, self.lines = _read_captions(options.captions)
        self.lock = threading.Lock()  # a pipeline keeps its state in its scheduler
        self.told_apart = False  # whether the model tells all captions apart: known with it

    def labels(self, indices: Any) -> Tensor:
        """Caption of each image, int64 (n,)."""
        return as_indices(indices) % len(self.captions)

    def texts(self) -> tuple[str, ...]:
        """The captions by number."""
        return tuple(self.captions)

    def spec(self) -> dict[str, Any]:
        """As of any generator; captions by their content, a model by that of its folder's files."""
        spec = super().spec()
        content = hashlib.sha256("\n".join(self.captions).encode()).hexdigest()
        return {**spec, "options": {**spec["options"], "captions": content, "model": self.model}}

    @cached_property
    def model(self) -> str:
        """The model: its name on the hub, or the digest of its folder's files."""
        folder = Path(self.options.model)
        return self.options.model if self.options.revision else _digest(folder)

    def scene_size(self, size: int) -> int:
        return -(-max(size, self.options.side) // MULTIPLE) * MULTIPLE

    def chunk(self, canvas: int, device: str) -> int:
        return max(1, AT_ONCE[torch.device(device).type] * 512**2 // canvas**2)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """As of any generator. Raises DataError for captions that the model cannot tell apart, and
        for an image that is not finite."""
        o, caption, number = (
            self.options,
            indices % len(self.captions),
            indices // len(self.captions),
        )
        with self.lock:
            pipeline = _pipeline(o.model, str(keys.device), o.revision)
            if not self.told_apart:
                self._tell_apart(pipeline.tokenizer)
            shape = (
                pipeline.unet.config.in_channels,
                size // pipeline.vae_scale_factor,
                size // pipeline.vae_scale_factor,
            )
            noise = rng.normal(
                rng.key("text2image latents", seed, caption, number, device=keys.device), shape
            ).view(len(indices), *shape)
            prompts = [self.captions[c] for c in caption.tolist()]
            latents = pipeline(
                prompts,
                height=size,
                width=size,
                num_inference_steps=o.steps,
                guidance_scale=o.w,
                latents=noise.to(pipeline.unet.dtype),
                output_type="latent",
            ).images
            # As the pipeline decodes them; but it would clip what is not finite.
            scaled = latents / pipeline.vae.config.scaling_factor
            painted = pipeline.vae.decode(scaled, return_dict=False)[0]
        finite = painted.isfinite().flatten(1).all(1) & latents.isfinite().flatten(1).all(1)
        if not bool(finite.all()):
            which = int(finite.int().argmin())
            half = "half precision is too small for it: --device cpu computes in fp32"
            weights = (
                "its weights are damaged or guidance is too strong: fetch it again, or lower w"
            )
            raise DataError(
                f"option model = {o.model!r}: picture {int(indices[which])}, of caption "
                f"{prompts[which]!r}, is not finite; {weights if painted.is_cpu else half}"
            )
        return ((painted * 0.5 + 0.5).clamp(0, 1).float() * 255).round().byte()

    def _tell_apart(self, tokenizer: Any) -> None:
        """Raise DataError if two captions are the same tokens; say how many are cut off."""
        most, seen, cut = tokenizer.model_max_length, dict[bytes, int](), list[int]()
        parts = (
            self.captions[start : start + 4096] for start in range(0, len(self.captions), 4096)
        )
        encoded = (tokens for part in parts for tokens in tokenizer(part, verbose=False).input_ids)
        for line, tokens in zip(self.lines, encoded, strict=True):
            if len(tokens) > most:
                cut.append(line)
            content = array.array("q", tokens[: most - 1]).tobytes()  # the last is the end's
            if seen.setdefault(content, line) != line:
                what = f"lines {seen[content]} and {line} are the same to the model"
                why = f"which reads {most} tokens and not the case of letters"
                option = f"option captions = {self.options.captions!r}"
                raise DataError(f"{option}: {what}, {why}; remove one")
        if cut:
            what = f"{len(cut)} of {len(self.captions)} captions, the first in line {cut[0]}"
            warning = f"{self.options.captions}: {what}, are cut off after {most} tokens"
            tqdm.write(f"synthlearn: {warning}, as the model reads no more", file=sys.stderr)
        self.told_apart = True


def _read_captions(name: str) -> tuple[list[str], list[int]]:
    """Captions of a text file, one a line, and the numbers of their lines. Raises DataError."""
    path, option = Path(name), f"option captions = {name!r}"
    try:
        if not path.is_file():
            raise DataError(f"{option}: no such file; give a text file with one caption a line")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{option}: {error.strerror}; give a text file that can be read") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{option}: line {line} is not UTF-8; save the file as UTF-8") from error
    seen: dict[str, int] = {}
    for line, caption in enumerate(map(str.strip, text.split("\n")), 1):
        if caption and seen.setdefault(caption, line) != line:
            what = f"lines {seen[caption]} and {line} are both {caption!r}"
            raise DataError(f"{option}: {what}, and would be two classes; remove one")
    if not seen:
        raise DataError(f"{option}: holds no caption; write one a line")
    return list(seen), list(seen.values())


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a pipeline's configuration and weights. Raises
    CheckpointError for a file that cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in sorted(
            p for p in folder.rglob("*") if p.suffix in (".json", ".safetensors", ".txt")
        ):
            digest.update(f"{path.relative_to(folder)}\0{files.sha256(path)}\0".encode())
    except OSError as error:
        raise CheckpointError(f"option model = {str(folder)!r}: {error}; fetch it again") from error
    return digest.hexdigest()


def _refuse_code(folder: Path) -> None:
    """Raise CheckpointError unless a pipeline is of diffusers' and transformers' own classes."""
    option, remedy = f"option model = {str(folder)!r}", "give a pipeline of diffusers' own classes"
    if code := sorted(folder.rglob("*.py")):
        raise CheckpointError(f"{option}: holds code, {code[0].name}, which is never run; {remedy}")
    index = files.read_json(folder / "model_index.json", CheckpointError, remedy)
    for part, value in index.items():
        if isinstance(value, list) and value and value[0] not in LIBRARIES:
            raise CheckpointError(f"{option}: its {part} is of {value[0]!r}; {remedy}")


@cache
def _pipeline(model: str, device: str, revision: str = "") -> Any:
    """The pipeline with DDIM as its sampler, in half precision on a GPU. Weights are read from
    safetensors files alone: nothing in them is run. ``revision``: of a model on the hub, else "".
    """
    # transformers imports torchvision: make sure that it can
    importlib.import_module("synthlearn.core.vision")
    try:
        diffusers = importlib.import_module("diffusers")
        kind, ddim = diffusers.StableDiffusionPipeline, diffusers.DDIMScheduler
    except (ImportError, RuntimeError) as error:
        remedy = "pip install -e '.[text2image]' in the checkout"
        raise ParameterError(
            f"generator 'text2image': diffusers is not installed; {remedy}"
        ) from error
    precision = torch.float16 if device.startswith("cuda") else torch.float32
    try:
        folder = (
            kind.download(model, revision=revision, use_safetensors=True) if revision else model
        )
        _refuse_code(Path(folder))
        pipeline = kind.from_pretrained(
            folder,
            use_safetensors=True,
            safety_checker=None,
            requires_safety_checker=False,
            torch_dtype=precision,
        )
        pipeline.scheduler = ddim.from_config(pipeline.scheduler.config)
    except CheckpointError:
        raise
    except Exception as error:  # diffusers passes on whatever its hub client or file reader raises
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckpointError(
            f"option model = {model!r}: not readable ({reason}); give {PRICE}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    # We say once which captions are cut off.
    logging.getLogger(type(pipeline).__module__).setLevel(logging.ERROR)
    return pipeline.to(device)
