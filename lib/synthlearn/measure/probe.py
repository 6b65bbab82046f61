"""What frozen features are worth on labelled real images: a converged linear probe, nearest
neighbours. Whatever measures an encoder reads its features here."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import rng
from ..core.errors import CheckpointError, DataError, ParameterError
from ..core.image import resize
from ..core.intervals import wilson
from ..data.image_set import ImageSet, agree
from ..learn.encoders import Encoder
from .regression import regression_for

# Test images are resized to this multiple of the crop, whose centre is taken (authors' code).
RESIZE = 70 / 64
# Strengths of the penalty, from strong to weak, each fit from the last one, until a weaker one is
# no better (chosen here).
L2_GRID = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# Tried in addition when the best is at an end (chosen here).
EXTENSION = (1e-8, 1e-7, 1.0, 10.0)
# Share of the training images, of each class, on which the strength is chosen (chosen here).
HELD_OUT = 0.2
# The strength where no class has two examples, so that nothing can be held out (chosen here).
DEFAULT_L2 = 1e-1
NOT_CHOSEN = f"no class has two training examples, so L2 is not chosen but {DEFAULT_L2:g}"
# k of the nearest neighbours (chosen here; Wu et al. 2018 take 200 of 1.3 million images).
NEIGHBOURS = 20
# τ of a neighbour's vote exp(cosine/τ) (Wu et al. 2018, 3.4).
TEMPERATURE = 0.07
# Images of one pass through the encoder: batch-norm statistics are means over such batches.
BATCH = 500
# Images that go to the device at once: the host waits for each copy.
SLAB = 20 * BATCH


@dataclass(frozen=True)
class ProbeResult:
    """One accuracy: top-1 in [0, 1] on n test images, which of them were right (bool (n,)), the L2
    where there was one, and what to know of it, in words, where there is something."""

    top1: float
    correct: Tensor
    l2: float | None = None
    note: str | None = None

    @classmethod
    def of(cls, correct: Tensor, l2: float | None = None, note: str | None = None) -> "ProbeResult":
        """From which test images were right, bool (n,) on the CPU."""
        return cls(float(correct.double().mean()), correct, l2, note)


def summary(result: ProbeResult) -> dict[str, Any]:
    """A result for a record, without the outcomes of single images: top1, n, the ends low and high
    of Wilson's 95 % interval, and the note where there is one.

    >>> summary(ProbeResult.of(torch.tensor([True, True, False, True])))
    {'top1': 0.75, 'n': 4, 'low': 0.300642, 'high': 0.954413}
    """
    n, right = len(result.correct), int(result.correct.sum())
    low, high = wilson(right, n)
    fields = {
        "top1": round(result.top1, 6),
        "n": n,
        "low": round(low, 6),
        "high": round(high, 6),
    }
    return fields if result.note is None else {**fields, "note": result.note}


def large_enough(images: Tensor, side: int) -> Tensor:
    """uint8 images (n, 3, h, w) that can be cropped to ``side``: enlarged where they are smaller.

    >>> large_enough(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 32).shape[2:]
    torch.Size([32, 32])
    """
    return resize(images, side) if min(images.shape[-2:]) < side else images


def centre_view(images: Tensor, size: int) -> Tensor:
    """uint8 (n, 3, h, w) → uint8 (n, 3, size, size): antialiased resize to size·70/64, centre crop.

    >>> centre_view(torch.zeros(2, 3, 48, 40, dtype=torch.uint8), 32).shape
    torch.Size([2, 3, 32, 32])
    """
    large = round(size * RESIZE)
    margin = round((large - size) / 2)
    return resize(images, large)[..., margin : margin + size, margin : margin + size]


def batches(encoder: Encoder, images: Tensor) -> Iterator[Tensor]:
    """Normalised float views of uint8 (n, 3, h, w) of the encoder's input size, (b, 3, s, s), by
    batches, on the encoder's device.

    >>> import synthlearn as sl
    >>> encoder = sl.encoders.SmallAlexNet(width=1 / 32, input_size=32)
    >>> [x.shape for x in batches(encoder, torch.zeros(9, 3, 8, 8, dtype=torch.uint8))]
    [torch.Size([9, 3, 32, 32])]
    """
    device = next(encoder.parameters()).device
    mean, std = (torch.tensor(c, device=device).view(3, 1, 1) for c in encoder.normalisation)
    size = encoder.options["input_size"]
    for start in range(0, len(images), SLAB):
        for part in images[start : start + SLAB].to(device).split(BATCH):
            x = centre_view(part, size).float().div_(255)
            yield ((x - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def features(encoder: Encoder, images: Tensor, taps: tuple[str, ...]) -> dict[str, Tensor]:
    """Frozen features of uint8 (n, 3, h, w): tap → float32 (n, d) on the encoder's device.

    The encoder is put in eval mode.

    >>> import synthlearn as sl
    >>> encoder = sl.encoders.SmallAlexNet(width=1 / 32, input_size=32)
    >>> images = sl.generator("noise-white").sample(range(2), size=32)
    >>> {tap: x.shape for tap, x in features(encoder, images, ("conv5", "fc6")).items()}
    {'conv5': torch.Size([2, 6]), 'fc6': torch.Size([2, 128])}

    Raises: DataError for no images; CheckpointError for features that are not finite.
    """
    if not len(images):
        raise DataError("no images to take features of; give at least one")
    encoder.eval()
    parts = [encoder.features(x, taps) for x in batches(encoder, images)]
    return {tap: finite(torch.cat([part[tap].float() for part in parts]), tap) for tap in taps}


def main_features(encoder: Encoder, images: Tensor) -> Tensor:
    """:func:`features` of the tap that is probed: float32 (n, d) on the encoder's device.

    >>> import synthlearn as sl
    >>> encoder = sl.encoders.SmallAlexNet(width=1 / 32, input_size=32)
    >>> main_features(encoder, torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([2, 128])
    """
    tap = encoder.main_tap
    return features(encoder, images, (tap,))[tap]


def finite(features: Tensor, tap: str) -> Tensor:
    """The features of a layer as they are.

    >>> finite(torch.ones(1, 2), "fc6")
    tensor([[1., 1.]])

    Raises: CheckpointError where one is NaN or infinite.
    """
    if not bool(torch.isfinite(features).all()):
        raise CheckpointError(
            f"features of the encoder's layer {tap!r} are NaN or infinite: its weights or "
            f"statistics are broken; give another encoder, or train it again with a lower lr"
        )
    return features


@torch.no_grad()
def reestimate_batch_norm(encoder: Encoder, images: Tensor) -> Encoder:
    """A copy whose batch-norm statistics are those of uint8 ``images`` (mean over batches of 500),
    in place of those of pre-training. No labels are used.

    >>> import synthlearn as sl
    >>> encoder = sl.encoders.SmallAlexNet(width=1 / 32, input_size=32)
    >>> grey = torch.full((4, 3, 8, 8), 90, dtype=torch.uint8)
    >>> fresh = reestimate_batch_norm(encoder, grey)
    >>> [bool((e.conv[0][1].running_mean == 0).all()) for e in (encoder, fresh)]
    [True, False]
    """
    fresh = copy.deepcopy(encoder).train()
    norms = [m for m in fresh.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
    for number, x in enumerate(batches(fresh, images), 1):
        if len(x) > 1:
            for norm in norms:
                norm.momentum = 1 / number  # a plain average; None reads the device's counter
            fresh(x)
    return fresh.eval()


def raw_pixels(images: Tensor, size: int) -> Tensor:
    """Pixels of the centre view of uint8 (n, 3, h, w) as features, float32 (n, 3·size²), 0 … 1.

    >>> raw_pixels(torch.full((2, 3, 8, 8), 255, dtype=torch.uint8), 4).shape
    torch.Size([2, 48])
    """
    return centre_view(images, size).flatten(1).float() / 255


def mean_colours(images: Tensor) -> Tensor:
    """Mean red, green, blue of uint8 (n, 3, h, w), float32 (n, 3), 0 … 1.

    >>> mean_colours(torch.full((1, 3, 8, 8), 51, dtype=torch.uint8))
    tensor([[0.2000, 0.2000, 0.2000]])
    """
    return images.float().mean((2, 3)) / 255


def held_out(labels: Tensor, seed: int) -> Tensor:
    """A fifth of the training labels (n,) of each class, as bool (n,) on the CPU: a function of the
    labels and the seed.

    >>> apart = held_out(torch.arange(20) % 2, seed=0)
    >>> (torch.arange(20) % 2)[apart].bincount()
    tensor([2, 2])
    """
    labels = labels.cpu()
    apart = torch.zeros(len(labels), dtype=torch.bool)
    for c in labels.unique().tolist():
        members = torch.nonzero(labels == c).flatten()
        shuffled = members[rng.permutation(rng.key("held-out", seed, c), len(members))]
        apart[shuffled[: max(1, round(HELD_OUT * len(members)))]] = len(members) > 1
    return apart


def choose_l2(train: Tensor, labels: Tensor, classes: int, seed: int) -> float:
    """The strength of the penalty with the best accuracy on a held-out fifth of train: features
    float (n, d), labels int64 (n,).

    The grid is extended when the best is at its end. DEFAULT_L2 where no class has two examples:
    then nothing can be held out.

    >>> x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    >>> choose_l2(x, (x[:, 0] > 0).long(), classes=2, seed=0) in (*L2_GRID, *EXTENSION)
    True
    """
    apart = held_out(labels, seed).to(train.device)
    labels = labels.to(train.device)
    if not bool(apart.any()):
        return DEFAULT_L2
    inner = regression_for(train[~apart], labels[~apart], classes)
    test, truth = train[apart], labels[apart]
    accuracy: dict[float, float] = {}

    def search(grid: Iterable[float]) -> None:
        solution = None
        for l2 in sorted(grid, reverse=True):
            solution = inner.fit(l2, solution)
            score = float((inner.predict(test, solution) == truth).float().mean())
            worse = bool(accuracy) and score <= max(accuracy.values())
            accuracy[l2] = score
            if worse:
                break

    def best() -> float:
        return max(accuracy, key=lambda l2: (accuracy[l2], l2))

    search(L2_GRID)
    if best() == max(L2_GRID):
        search(v for v in EXTENSION if v > max(L2_GRID))
    elif best() == min(L2_GRID):
        search(v for v in EXTENSION if v < min(L2_GRID))
    return best()


def linear(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    seed: int = 0,
    l2: float | None = None,
) -> ProbeResult:
    """Linear probe on fixed features: L2 chosen on a held-out fifth of train, refitted on all of
    it, tested once.

    Args:
        train, test: float (n, d), on one device. train_labels, test_labels: int64 (n,), on any.
        seed: of the held-out part.
        l2: a strength chosen before, in place of the choice on the held-out fifth.

    >>> x, labels = torch.tensor([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]]), torch.arange(6) // 3
    >>> linear(x, labels, x + 0.1, labels, classes=2).top1
    1.0

    Raises: DataError for sizes that disagree, labels of no class, fewer than two classes or
    features that are not finite.
    """
    check(train, train_labels, test, test_labels, classes)
    chosen = choose_l2(train, train_labels, classes, seed) if l2 is None else l2
    whole = regression_for(train, train_labels, classes)
    correct = (whole.predict(test, whole.fit(chosen)) == test_labels.to(test.device)).cpu()
    alone = int(torch.bincount(train_labels).max()) < 2
    return ProbeResult.of(correct, chosen, NOT_CHOSEN if alone else None)


def check(x: Tensor, labels: Tensor, test: Tensor, truth: Tensor, classes: int) -> None:
    """Raise DataError unless these can be learned from and tested on: float (n, d), int64 (n,).

    >>> x, labels = torch.eye(2), torch.tensor([0, 1])
    >>> check(x, labels, x, labels, classes=2)
    """
    if len(x) != len(labels) or len(test) != len(truth) or len(x) < 2 or not len(test):
        numbers = f"{len(x)} features for {len(labels)} labels, {len(test)} for {len(truth)}"
        raise DataError(
            f"probe: {numbers}: must agree, with at least 2 for training and 1 for testing"
        )
    every = torch.cat((labels, truth.to(labels.device)))
    if int(every.min()) < 0 or int(every.max()) >= classes:
        wrong = int(every[(every < 0) | (every >= classes)][0])
        raise DataError(
            f"probe: label {wrong} of {classes} classes: must be from 0 to {classes - 1}"
        )
    if len(present := labels.unique()) < 2:
        raise DataError(
            f"probe: all {len(labels)} training images are of class {int(present[0])}: nothing to "
            f"tell apart; give images of at least two classes"
        )
    if not bool(torch.isfinite(x).all()) or not bool(torch.isfinite(test).all()):
        raise DataError("probe: features hold NaN or infinity; give another encoder")


def knn(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    k: int = NEIGHBOURS,
) -> ProbeResult:
    """k nearest neighbours by cosine, all where there are fewer, votes weighted
    exp(similarity/0.07).

    Arguments and errors as in :func:`linear`; ParameterError for k below 1.

    >>> x, labels = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 1])
    >>> knn(x, labels, torch.tensor([[0.1, 2.0], [3.0, 0.5]]), labels, classes=2).correct
    tensor([True, True])
    """
    if k < 1:
        raise ParameterError(f"k = {k}: must be at least 1 neighbour")
    check(train, train_labels, test, test_labels, classes)
    memory = functional.normalize(train, dim=1)
    votes = functional.one_hot(train_labels.to(train.device), classes).float()
    predicted = []
    for part in functional.normalize(test, dim=1).split(BATCH):
        similarity, index = (part @ memory.T).topk(min(k, len(memory)), 1)
        weight = (similarity / TEMPERATURE).exp()
        predicted.append((votes[index] * weight[..., None]).sum(1).argmax(1))
    return ProbeResult.of((torch.cat(predicted) == test_labels.to(test.device)).cpu())


def measure(
    encoder: Encoder, train: ImageSet, test: ImageSet, seed: int = 0
) -> dict[str, ProbeResult]:
    """The study's probes of an encoder, by name: linear on each of the taps fc6 and fc7 (or
    pooled), kNN on the first, and linear on fc6 with batch norm re-estimated.

    >>> import synthlearn as sl
    >>> encoder = sl.encoders.SmallAlexNet(width=1 / 32, input_size=32)
    >>> images = sl.generator("noise-white").sample(range(20), size=32)
    >>> labels = torch.arange(20) % 2
    >>> data = sl.data.datasets.from_tensor("noise", "train", images, labels, ["even", "odd"])
    >>> list(measure(encoder, data, data))
    ['fc6_linear', 'fc7_linear', 'fc6_knn', 'fc6_linear_bn']

    Raises: DataError for sets that do not number the same classes.
    """
    agree(train, test)
    taps = tuple(tap for tap in ("fc6", "fc7", "pooled") if tap in encoder.taps)
    device = next(encoder.parameters()).device
    labels, truth, classes = train.labels.to(device), test.labels.to(device), len(train.classes)

    def probed(x: Tensor, y: Tensor, l2: float | None = None) -> ProbeResult:
        return linear(x, labels, y, truth, classes, seed, l2)

    x, y = (features(encoder, part.images, taps) for part in (train, test))
    results = {f"{tap}_linear": probed(x[tap], y[tap]) for tap in taps}
    results[f"{taps[0]}_knn"] = knn(x[taps[0]], labels, y[taps[0]], truth, classes)
    if "fc6" in taps:
        fresh = reestimate_batch_norm(encoder, train.images)
        x, y = (features(fresh, part.images, ("fc6",)) for part in (train, test))
        results["fc6_linear_bn"] = probed(x["fc6"], y["fc6"], results["fc6_linear"].l2)
    return results
