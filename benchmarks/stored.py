"""What training from generated pictures is compared with: pictures in files, and a small Vision
Transformer.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from synthlearn.core.image import MEAN, STD
from synthlearn.data import stream
from synthlearn.learn.encoders import OUTPUT, Encoder


def write_pictures(images: Tensor, folder: Path) -> None:
    """Write uint8 (n, 3, s, s) as PNG files, one a picture."""

    def write(i: int) -> None:
        Image.fromarray(images[i].permute(1, 2, 0).numpy()).save(folder / f"{i}.png")

    with ThreadPoolExecutor() as workers:
        list(workers.map(write, range(len(images))))


class Pictures(Dataset[Tensor]):
    """PNG files by number: uint8 (3, s, s)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, i: int) -> Tensor:
        with Image.open(self.folder / f"{i}.png") as picture:
            return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


class Files(stream.Batches):
    """Pictures that worker processes read from PNG files. Views are cut on the training device, as
    for any feed.
    """

    def __init__(self, folder: Path, n: int, device: str, workers: int) -> None:
        super().__init__(n, device)
        self.pictures, self.workers = Pictures(folder), workers

    def prefetch(self, plan: Iterable[stream.Step]) -> Iterator[tuple[stream.Step, Tensor]]:
        """As of any feed."""
        steps = list(plan)
        batches = [step[2].tolist() for step in steps]
        pinned = self.device.type == "cuda"
        # of each worker: what lies ready when a clock starts is a gift
        ahead = 1 if self.workers else None
        loader = DataLoader(
            self.pictures,
            batch_sampler=batches,
            num_workers=self.workers,
            pin_memory=pinned,
            prefetch_factor=ahead,
        )
        for step, pictures in zip(steps, loader, strict=True):
            yield step, pictures.to(self.device, non_blocking=True)


def _transformer_layer(width: int, heads: int) -> nn.TransformerEncoderLayer:
    options: dict[str, Any] = {"activation": functional.gelu, "batch_first": True}
    return nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, norm_first=True, **options)


class TinyViT(Encoder):
    """ViT-Tiny (12 layers of 192 numbers in 3 heads) over patches of an eighth of the side;
    features are the mean over patches.
    """

    taps = ("pooled",)
    normalisation = (MEAN, STD)

    def __init__(self, input_size: int, width: int = 192, depth: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.options = {"input_size": input_size}
        self.patches = nn.Conv2d(3, width, input_size // 8, input_size // 8)
        self.place = nn.Parameter(torch.zeros(64, width))
        self.layers = nn.Sequential(*(_transformer_layer(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, OUTPUT)
        self.embedding_size, self.output_size = width, OUTPUT

    def embed(self, x: Tensor) -> Tensor:
        """As of any encoder: the mean over patches."""
        return self.norm(self.layers(self.patches(x).flatten(2).mT + self.place)).mean(1)

    def project(self, h: Tensor) -> Tensor:
        """As of any encoder."""
        return functional.normalize(self.head(h), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (n, 128) of normalised float (n, 3, s, s)."""
        return self.project(self.embed(x))
