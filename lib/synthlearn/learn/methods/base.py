"""What a method is, and the registry of them.

A method is a module that holds the encoder and whatever else it trains or keeps (a classifier, a
second encoder, a queue), so that a checkpoint of the method is a checkpoint of the run. The
training loop is the same for all.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from torch import Tensor, nn

from ...core import distributed
from ...core import options as checks
from ...core.errors import ParameterError
from ...core.registry import Registry
from .. import norms
from ..networks import Encoder

Loss = tuple[Tensor, dict[str, Tensor]]  # the scalar to minimise, and its parts by name


class Method(nn.Module):
    """A loss over views of images. What a subclass says of itself:

    Options: the options that it takes.
    views: of each image, in a step.
    labelled: whether it needs the images' classes.
    images_per_label: in a batch; 0 if images are drawn whatever their label.
    family: methods whose runs are thought to lie equally far apart over seeds share one, so that
        the study pools their spread; a method that names none is a family of its own.

    Args:
        encoder: what is trained.
        options: of the method's ``Options``; defaults where they are left out.
        classes: number of classes of a labelled method.
        seed: of what else the method initialises.
        texts: of the captions that are the classes, for a method that reads them.

    Raises: ParameterError for an unknown or bad option, or no classes where they are needed.
    """

    Options: ClassVar[type[checks.Options]]
    views: ClassVar[int] = 2
    labelled: ClassVar[bool] = False
    family: ClassVar[str] = ""
    images_per_label: int = 0
    options: Any  # of the type Options

    def __init__(
        self,
        encoder: Encoder,
        options: dict[str, Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        texts: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.seed = seed
        self.options = checks.build(self.Options, f"method {type(self).__name__}", options or {})
        if self.labelled and classes < 2:
            raise ParameterError(
                f"classes = {classes}: this method needs the classes of the images; "
                "choose a source that has them (FractalDB, a real set)"
            )
        self.set_up(classes, texts)

    def set_up(self, classes: int, texts: Sequence[str]) -> None:
        """Make what the method trains or keeps besides the encoder, from ``self.seed``."""

    def outputs(self, views: Tensor) -> list[Tensor]:
        """What the loss reads.

        Batch statistics are per view; the first view's alone enter the running ones (authors'
        code of "Learning to See by Looking at Noise").

        Args:
            views: normalised, float (views · n, 3, s, s): the first view of each image, then the
                second ones.
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
        """The only way into a network: its outputs (n, output_size), or its embeddings.

        Args:
            x: normalised images, float (n, 3, s, s).
            parts: of the batch, whose statistics are their own.
            counted: how many of them enter the running statistics.
            encoder: another than the method's own.
            embed: give embeddings (n, embedding_size), which come before the projection.
        """
        network = encoder or self.encoder
        # A CPU keeps the way of the reference, and of the records: a call for each part.
        # Rounding is all that differs.
        one_pass = (
            x.device.type != "cpu"
            and not distributed.several()
            and len(x) % parts == 0
            and parts > 1
        )
        through = norms.in_one_pass if one_pass else norms.part_by_part
        return through(network, x, parts, counted, network.embed if embed else network.forward)

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """The scalar to minimise and its parts by name.

        Args:
            outputs: of :meth:`outputs`, in float32.
            labels: of the images, int64 (n,).
        """
        raise NotImplementedError

    def after_step(self, outputs: list[Tensor]) -> None:
        """What follows an update, given what the loss read."""


METHODS: Registry[type[Method]] = Registry("method", "synthlearn.learn.methods")
method = METHODS.register


def spec(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """A method with all its options, for a record.

    Raises: ParameterError naming an unknown method or option, or a bad value.

    >>> spec("simclr", {})
    {'name': 'simclr', 'temperature': 0.5}
    """
    return {"name": name, **asdict(checks.build(METHODS[name].Options, f"method {name!r}", given))}
