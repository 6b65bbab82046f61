"""StableRep, StableRep+ and CLIP: images of one caption are positives of each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...core import distributed, rng
from ...core.errors import ParameterError
from ...core.options import Options
from .. import losses
from ..text import TextTower
from .base import Loss, Method, method

LARGEST_SCALE = 100.0  # of the cosines of images and texts (Radford et al. 2021)


@dataclass(frozen=True)
class StableRepOptions(Options):
    """``temperature``: as in the authors' code. ``images_per_caption``: in a batch, each seen once
    (they take 6 of 10)."""

    temperature: float = 0.1
    images_per_caption: int = 6
    at_least: ClassVar = {"temperature": 1e-3, "images_per_caption": 1}
    at_most: ClassVar = {"temperature": 100.0, "images_per_caption": 1000}


@method("stablerep")
class StableRep(Method):
    """Multi-positive contrastive loss over a caption's images, one view each (Tian et al. 2023).

    As the authors' projection head, the network runs on one image of each caption at a time: batch
    statistics over two images of a caption would give the pair away.
    """

    Options: ClassVar[type[Options]] = StableRepOptions
    views = 1
    labelled = True
    family = "several positives"
    least: ClassVar[int] = 2  # images of a caption
    options: Any  # StableRepOptions or a subclass

    def set_up(self, classes: int, texts: Sequence[str]) -> None:
        """Check the number of images per caption, and tell it to the order of batches."""
        self.images_per_label = self.options.images_per_caption
        if self.images_per_label < self.least:
            raise ParameterError(
                f"option images_per_caption = {self.images_per_label}: "
                f"must be at least {self.least}, or no image has a positive"
            )

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Unit vectors of the one view, in the order of the batch."""
        return [self.encode(views, self.images_per_label)]

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: above_floor, the loss less its least value."""
        assert labels is not None
        (z,) = outputs
        m, temperature = self.images_per_label, self.options.temperature
        value = losses.multi_positive_unchecked(z, labels, temperature)
        floor = losses.multi_positive_floor(len(z) // m, m, temperature)
        return value, {"above_floor": value.detach() - floor}


@dataclass(frozen=True)
class StableRepPlusOptions(StableRepOptions):
    """Besides those of StableRep, ``scale``: of the cosines of images and texts at the start,
    learned from there (CLIP's, 1/0.07)."""

    scale: float = 1 / 0.07
    at_least: ClassVar = {"scale": 1e-2}
    at_most: ClassVar = {"scale": LARGEST_SCALE}


@method("stablerep_plus")
class StableRepPlus(StableRep):
    """StableRep and, over the same batch, CLIP's loss, weights 1 and 1 (Tian et al. 2023).

    Images are mapped to the texts' space by a linear layer on the encoder's embedding, beside its
    projection.
    """

    Options = StableRepPlusOptions

    def set_up(self, classes: int, texts: Sequence[str]) -> None:
        """Make the text tower, the map into its space, and the scale of the cosines."""
        super().set_up(classes, texts)
        if not texts:
            raise ParameterError(
                f"{type(self).__name__}: reads captions; "
                "choose a source that has them (kind text2image)"
            )
        into, out = self.encoder.embedding_size, self.encoder.output_size
        self.tower = TextTower(texts, out, self.seed)
        self.to_text = nn.Linear(into, out, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.options.scale)))
        with torch.no_grad():
            weight = rng.normal(rng.key("to text", self.seed), (out, into))
            self.to_text.weight.copy_(weight * into**-0.5)

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Unit vectors of the one view and its vectors in the texts' space, in the order of the
        batch."""
        h = self.encode(views, self.images_per_label, embed=True)
        return [self.encoder.project(h), self.to_text(h)]

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: above_floor of the images' loss, text."""
        value, parts = super().loss(outputs[:1], labels)
        text = self.text_loss(outputs[1], labels)
        return value + text, {**parts, "text": text.detach()}

    def text_loss(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Half of each direction of :func:`synthlearn.learn.losses.image_text`, over the batch's
        images and its captions."""
        assert labels is not None
        captions = labels.sort().values[:: self.images_per_label]  # each is in the batch as often
        texts = distributed.replicated(self.tower(captions))
        log_scale = distributed.replicated(self.log_scale)
        scale = log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()
        image, text = losses.image_text_unchecked(images, texts, labels, captions, scale)
        return (image + text) / 2


@method("clip")
class CLIP(StableRepPlus):
    """The loss between images and captions alone (Radford et al. 2021).

    With one image or several of a caption in a batch.
    """

    least = 1

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: text."""
        text = self.text_loss(outputs[1], labels)
        return text, {"text": text.detach()}
