"""Methods: which views of a batch go through which networks, and the loss over what comes out. The training loop is the same for all.

A method is a module that holds the encoder and whatever else it trains or keeps (a classifier, a second encoder, a queue), so that a
checkpoint of the method is a checkpoint of the run. Its options are of the same base as a generator's.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import distributed, rng
from ..core.errors import ParameterError
from ..core.options import Options, build, shown
from . import losses, norms
from .encoders import Encoder
from .text import TextTower

LARGEST_SCALE = 100.0  # of the cosines of images and texts (Radford et al. 2021)


class Method(nn.Module):
    """A loss over views. ``views`` of each image are drawn; ``labelled`` methods need the images' classes.

    Args:
        encoder: what is trained.
        options: of the method's ``Options``; defaults where they are left out.
        classes: number of classes of a labelled method.
        seed: of what else the method initialises.
        texts: of the captions that are the classes, for a method that reads them.

    Raises: ParameterError for an unknown or bad option, or no classes where they are needed.
    """

    Options: ClassVar[Any]
    views: ClassVar[int] = 2
    labelled: ClassVar[bool] = False
    images_per_label: int = 0  # in a batch; 0: images are drawn whatever their label

    def __init__(
        self,
        encoder: Encoder,
        options: dict[str, Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        texts: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.encoder, self.seed = encoder, seed
        self.o: Any = build(self.Options, f"method {type(self).__name__}", options or {})
        if self.labelled and classes < 2:
            raise ParameterError(
                f"classes = {classes}: this method needs the classes of the images; choose a source that has them (FractalDB, a real set)"
            )

    def outputs(self, views: Tensor) -> list[Tensor]:
        """What the loss reads, from normalised views, float (views · n, 3, s, s), the first view of each image, then the second ones.

        Batch statistics are per view; the first view's alone enter the running ones (authors' code).
        """
        return list(self.encode(views, self.views).chunk(self.views))

    def encode(
        self,
        x: Tensor,
        parts: int,
        counted: int = 1,
        encoder: Encoder | None = None,
        embed: bool = False,
    ) -> Tensor:
        """The only way into a network: its outputs (n, output_size), or embeddings, of normalised float (n, 3, s, s).

        Args:
            parts: of the batch, whose statistics are their own.
            counted: how many of them enter the running statistics.
            encoder: another than the method's own.
        """
        network = encoder or self.encoder
        # A CPU keeps the way of the reference, and of the records: a call for each part. Rounding is all that differs.
        one = (
            x.device.type != "cpu"
            and not distributed.several()
            and len(x) % parts == 0
            and parts > 1
        )
        way = norms.in_one_pass if one else norms.part_by_part
        return way(network, x, parts, counted, network.embed if embed else network.forward)

    def after(self, outputs: list[Tensor]) -> None:
        """What follows an update, given what the loss read."""

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise and its parts by name, of float32 outputs and int64 labels (n,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class AlignUniformOptions(Options):
    """``alpha``: exponent of alignment; ``t``: sharpness of uniformity; ``uniform_weight``: of uniformity, alignment's is 1."""

    alpha: float = 2.0
    t: float = 2.0
    uniform_weight: float = 1.0
    at_least: ClassVar = {"alpha": 0.0, "t": 0.0, "uniform_weight": 0.0}
    at_most: ClassVar = {"alpha": 100.0, "t": 1000.0, "uniform_weight": 1e6}


class AlignUniform(Method):
    """align + uniform_weight · (uniform of each view)/2: as the noise paper trains ("Learning to See …", small scale)."""

    Options = AlignUniformOptions

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: align, uniform."""
        x, y = outputs
        a, u = (
            losses.align(x, y, self.o.alpha),
            (losses.uniform(x, self.o.t) + losses.uniform(y, self.o.t)) / 2,
        )
        return a + self.o.uniform_weight * u, {"align": a.detach(), "uniform": u.detach()}


@dataclass(frozen=True)
class SimCLROptions(Options):
    """``temperature``: 0.5 for short schedules (Chen et al. 2020 on CIFAR-10)."""

    temperature: float = 0.5
    at_least: ClassVar = {"temperature": 1e-3}
    at_most: ClassVar = {"temperature": 100.0}


class SimCLR(Method):
    """NT-Xent over two views (Chen et al. 2020)."""

    Options = SimCLROptions

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: align, uniform."""
        x, y = outputs
        return losses.nt_xent(x, y, self.o.temperature), {
            "align": losses.align(x, y).detach(),
            "uniform": losses.uniform(x).detach(),
        }


@dataclass(frozen=True)
class SupConOptions(Options):
    """``temperature``: Khosla et al. 2020's."""

    temperature: float = 0.1
    at_least: ClassVar = {"temperature": 1e-3}
    at_most: ClassVar = {"temperature": 100.0}


class SupCon(Method):
    """Supervised contrastive loss, "out" form: all views of a class are positives of each other (Khosla et al. 2020)."""

    Options = SupConOptions
    labelled = True

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: align."""
        assert labels is not None
        x, y = outputs
        return losses.sup_con_unchecked(torch.cat((x, y)), labels.repeat(2), self.o.temperature), {
            "align": losses.align(x, y).detach()
        }


@dataclass(frozen=True)
class StableRepOptions(Options):
    """``temperature`` as in the authors' code; ``images_per_caption``: in a batch, each seen once (they take 6 of 10)."""

    temperature: float = 0.1
    images_per_caption: int = 6
    at_least: ClassVar = {"temperature": 1e-3, "images_per_caption": 1}
    at_most: ClassVar = {"temperature": 100.0, "images_per_caption": 1000}


class StableRep(Method):
    """Multi-positive contrastive loss over the images of a caption, one view of each (Tian et al. 2023).

    As the authors' projection head, the network runs on one image of each caption at a time: batch statistics over two images of a caption
    would give the pair away.
    """

    Options: ClassVar[Any] = StableRepOptions
    views = 1
    labelled = True
    least: ClassVar[int] = 2  # images of a caption

    def __init__(
        self,
        encoder: Encoder,
        options: dict[str, Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        texts: Sequence[str] = (),
    ) -> None:
        super().__init__(encoder, options, classes, seed, texts)
        self.images_per_label = self.o.images_per_caption
        if self.images_per_label < self.least:
            raise ParameterError(
                f"option images_per_caption = {self.images_per_label}: must be at least {self.least}, or no image has a positive"
            )

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Embeddings of the one view, in the order of the batch."""
        return [self.encode(views, self.images_per_label)]

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: above_floor, the loss less its least value."""
        assert labels is not None
        (z,) = outputs
        value = losses.multi_positive_unchecked(z, labels, self.o.temperature)
        floor = losses.multi_positive_floor(
            len(z) // self.images_per_label, self.images_per_label, self.o.temperature
        )
        return value, {"above_floor": value.detach() - floor}


@dataclass(frozen=True)
class StableRepPlusOptions(StableRepOptions):
    """Besides those of StableRep, ``scale``: of the cosines of images and texts at the start, learned from there (CLIP's, 1/0.07)."""

    scale: float = 1 / 0.07
    at_least: ClassVar = {"scale": 1e-2}
    at_most: ClassVar = {"scale": LARGEST_SCALE}


class StableRepPlus(StableRep):
    """StableRep and, over the same batch, CLIP's loss between images and captions, weights 1 and 1 (Tian et al. 2023).

    Images are mapped to the texts' space by a linear layer on the encoder's embedding, beside its projection.
    """

    Options = StableRepPlusOptions

    def __init__(
        self,
        encoder: Encoder,
        options: dict[str, Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        texts: Sequence[str] = (),
    ) -> None:
        super().__init__(encoder, options, classes, seed, texts)
        if not texts:
            raise ParameterError(
                f"{type(self).__name__}: reads captions; choose a source that has them (kind text2image)"
            )
        self.tower = TextTower(texts, encoder.output_size, seed)
        self.to_text = nn.Linear(encoder.embedding_size, encoder.output_size, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.o.scale)))
        with torch.no_grad():
            scale = encoder.embedding_size**-0.5
            self.to_text.weight.copy_(
                rng.normal(rng.key("to text", seed), (encoder.output_size, encoder.embedding_size))
                * scale
            )

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Embeddings of the one view and its vectors in the texts' space, in the order of the batch."""
        h = self.encode(views, self.images_per_label, embed=True)
        return [self.encoder.project(h), self.to_text(h)]

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: above_floor of the images' loss, text."""
        value, parts = super().loss(outputs[:1], labels)
        text = self.text_loss(outputs[1], labels)
        return value + text, {**parts, "text": text.detach()}

    def text_loss(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Half of each direction of :func:`synthlearn.learn.losses.image_text`, over the batch's images and its captions."""
        assert labels is not None
        captions = labels.sort().values[:: self.images_per_label]  # each is in the batch as often
        texts = distributed.alike(self.tower(captions))
        scale = distributed.alike(self.log_scale).clamp(max=math.log(LARGEST_SCALE)).exp()
        image, text = losses.image_text_unchecked(images, texts, labels, captions, scale)
        return (image + text) / 2


class CLIP(StableRepPlus):
    """The loss between images and captions alone (Radford et al. 2021), with one image or several of a caption in a batch."""

    least = 1

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: text."""
        text = self.text_loss(outputs[1], labels)
        return text, {"text": text.detach()}


@dataclass(frozen=True)
class SupervisedOptions(Options):
    """None: cross-entropy without smoothing."""


class Supervised(Method):
    """Cross-entropy over the classes, by a linear layer on the encoder's embedding that is dropped afterwards (Kataoka et al. 2020). One view."""

    Options = SupervisedOptions
    views = 1
    labelled = True

    def __init__(
        self,
        encoder: Encoder,
        options: dict[str, Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        texts: Sequence[str] = (),
    ) -> None:
        super().__init__(encoder, options, classes, seed, texts)
        self.head = nn.Linear(encoder.embedding_size, classes)
        with torch.no_grad():
            self.head.weight.copy_(
                rng.normal(rng.key("head", seed), (classes, encoder.embedding_size)) * 0.02
            )
            self.head.bias.zero_()

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Logits of the one view, (n, classes)."""
        return [self.head(self.encode(views, 1, embed=True))]

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As of any method; parts: accuracy on the batch."""
        assert labels is not None
        (logits,) = outputs
        return functional.cross_entropy(logits, labels), {
            "accuracy": (logits.argmax(1) == labels).float().mean()
        }


@dataclass(frozen=True)
class MoCoOptions(Options):
    """``temperature`` as in v2; ``queue``: keys kept (65,536 at full scale); ``momentum`` of the key encoder (0.999 at full scale: with a few hundred
    steps it would stay at its start); ``group``: images that share batch statistics, the keys' shuffled."""

    temperature: float = 0.2
    queue: int = 4096
    momentum: float = 0.99
    group: int = 32
    at_least: ClassVar = {"temperature": 1e-3, "queue": 1, "momentum": 0.0, "group": 2}
    at_most: ClassVar = {
        "temperature": 100.0,
        "queue": 1_000_000,
        "momentum": 1.0,
        "group": 100_000,
    }


class MoCo(Method):
    """MoCo v2 (Chen et al. 2020): queries must find their keys, made by a slowly following copy of the encoder, among those of earlier batches.

    Batch statistics are per group, over shuffled keys: within one group a query and its key would share them, which gives the pair away.
    """

    Options = MoCoOptions
    queue: Tensor
    written: Tensor
    shuffle: Tensor

    def __init__(
        self,
        encoder: Encoder,
        options: dict[str, Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        texts: Sequence[str] = (),
    ) -> None:
        super().__init__(encoder, options, classes, seed, texts)
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        start = functional.normalize(
            rng.normal(rng.key("queue", seed), (self.o.queue, encoder.output_size)), dim=1
        )
        self.register_buffer("queue", start)
        self.register_buffer(
            "written", torch.zeros((), dtype=torch.int64)
        )  # keys so far: the next goes to written mod queue
        self.register_buffer(
            "shuffle", rng.key("shuffle", seed), persistent=False
        )  # key of the orders of batches

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Queries of the first view and keys of the second, after the key encoder has followed."""
        first, second = views.chunk(2)
        parts = max(1, len(first) // self.o.group)  # none smaller than a group
        with torch.no_grad():
            for slow, fast in zip(
                self.key_encoder.parameters(), self.encoder.parameters(), strict=True
            ):
                slow.lerp_(fast, 1 - self.o.momentum)
            order = rng.permutation(rng.fold(self.shuffle, self.written), len(second))
            keys = self.encode(second[order], parts, parts, self.key_encoder)
            keys = torch.empty_like(keys).index_copy_(0, order, keys)
        return [self.encode(first, parts, parts), keys]

    def loss(
        self, outputs: list[Tensor], labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss against the queue as it is; parts: align, uniform."""
        q, k = outputs
        value = losses.info_nce(q, k, self.queue, self.o.temperature)
        return value, {"align": losses.align(q, k).detach(), "uniform": losses.uniform(q).detach()}

    @torch.no_grad()
    def after(self, outputs: list[Tensor]) -> None:
        """The keys take the place of the oldest in the queue."""
        keys = outputs[1]
        place = (self.written + torch.arange(len(keys), device=keys.device)) % self.o.queue
        self.queue.index_copy_(0, place, keys)
        self.written.add_(len(keys))


METHODS: dict[str, type[Method]] = {
    "align_uniform": AlignUniform,
    "simclr": SimCLR,
    "supcon": SupCon,
    "stablerep": StableRep,
    "stablerep_plus": StableRepPlus,
    "clip": CLIP,
    "supervised": Supervised,
    "moco": MoCo,
}


def spec(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """A method with all its options, for a record. Raises ParameterError naming an unknown method or option, or a bad value.

    A ``uniform_weight`` of 1 is left out: it is older than the option, and so are most records.
    """
    if name not in METHODS:
        raise ParameterError(f"method = {shown(name)}: must be one of {', '.join(METHODS)}")
    described = {"name": name, **asdict(build(METHODS[name].Options, f"method {name!r}", options))}
    if described.get("uniform_weight") == 1:
        del described["uniform_weight"]
    return described
