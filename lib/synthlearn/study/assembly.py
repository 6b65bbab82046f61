"""How a run is put together: the one place where a row and its settings become a training, an
encoder and probes. The code hash of every record covers this file."""

import torch
from torch import Tensor

from ..core.errors import ParameterError
from ..data import Source, datasets, stream
from ..data.image_set import ImageSet
from ..learn import encoders, methods
from ..learn.encoders import Encoder
from ..learn.methods import Method
from ..learn.train import Training
from ..measure import probe
from ..measure.probe import ProbeResult
from .profiles import Settings
from .rows import Row


def prepare(threads: int) -> None:
    """This process's threads, and float32 that is one on a GPU too: convolutions there round to ten
    bits of mantissa (TF32) by default."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    # shapes come again and again: the fastest kernel of each is looked for once
    torch.backends.cudnn.benchmark = True


def batches(source: Source, settings: Settings, seed: int, keep: bool = True) -> stream.Batches:
    """The images of a training; ``keep``: a fixed pool goes to disk, for the next run."""
    n, size, device = settings.n_images, settings.image_size, settings.device
    if keep or settings.refresh:
        return stream.batches(source, n, size, seed, device, settings.refresh)
    return stream.Pool(source.sample(torch.arange(n), size, seed, device), device)


def training(
    row: Row, settings: Settings, seed: int, source: Source, images: stream.Batches
) -> Training:
    """A row's training over images of its source: encoder, method, labels, views, updates."""
    method, labels = _method(row, settings, seed, source)
    return Training(images, method, settings.views(), settings.optimisation(), seed, labels)


def _method(
    row: Row, settings: Settings, seed: int, source: Source
) -> tuple[Method, Tensor | None]:
    """The method over a new encoder, and the class of each image where the method needs them."""
    options = dict(row.method_options)
    methods.spec(settings.method, options)  # names an option that does not exist
    kind = methods.METHODS[settings.method]
    labels = None
    if kind.labelled and not settings.refresh:
        n = settings.n_images
        labels = torch.arange(n) if row.classes == "pictures" else source.labels(torch.arange(n))
    encoder = encoders.build(settings.encoder, settings.width, settings.crop, seed)
    classes = 0 if labels is None else int(labels.max()) + 1
    built = kind(encoder.to(settings.device), options, classes, seed, source.texts())
    return built, labels


def pictures_of(trained: Training, epoch: int, indices: Tensor) -> Tensor:
    """Pictures that a training sees in an epoch: uint8 (n, 3, s, s)."""
    images = trained.images
    if isinstance(images, Tensor):
        return images[indices]
    assert isinstance(images, stream.Batches)
    return images.batch(epoch, indices)


def probe_data(settings: Settings) -> tuple[ImageSet, ImageSet]:
    """Images that the probe learns from, and that it is tested on, at the size of views."""
    train, test = datasets.both(settings.data, settings.crop)
    return train.first(settings.per_class), test


def untrained(settings: Settings, seed: int) -> Encoder:
    """A new encoder."""
    built = encoders.build(settings.encoder, settings.width, settings.crop, seed)
    return built.to(settings.device)


def probes(
    row: Row, crop: int, seed: int, encoder: Encoder | None, data: tuple[ImageSet, ImageSet]
) -> dict[str, ProbeResult]:
    """All probes of a row by name, on training and test images: of an encoder, or where there is
    none of plain features.
    """
    train, test = data
    if encoder is not None:
        return probe.measure(encoder, train, test, seed)
    if row.baseline == "mean_colours":
        x, y = (probe.mean_colours(part.images) for part in (train, test))
    elif row.baseline == "raw_pixels":
        x, y = (probe.raw_pixels(part.images, crop) for part in (train, test))
    else:
        raise ParameterError(f"row {row.name}: has an encoder, and none was given")
    classes = len(test.classes)
    return {"linear": probe.linear(x, train.labels, y, test.labels, classes, seed)}
