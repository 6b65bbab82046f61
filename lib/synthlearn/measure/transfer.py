"""Further measurements of an encoder: a suite of small tasks, few examples, every layer, and fine-tuning.

Each is a sequence of named parts, made one after the other, so that a part alone can be made again.
"""

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import intervals, rng
from ..core.augment import Augmentation
from ..core.errors import DataError
from ..data import datasets
from ..data.datasets import ImageSet
from ..learn.encoders import Encoder
from ..learn.methods import Supervised
from ..learn.train import Optimisation, Training
from . import probe, tasks
from .probe import Measured

SHOTS, DRAWS = (1, 5, 10, 100), 20
NEAREST_MEAN = 5  # up to so many examples per class; ridge beyond
RATES = (1e-3, 1e-2, 1e-1)  # per 256 images of a batch, chosen on a fifth of train
FINE_TUNING_BATCH = 64
Part = tuple[str, dict[str, Any]]


def result(m: Measured) -> dict[str, Any]:
    """A measurement for a record, without the outcomes of single images."""
    n, right = len(m.correct), int(m.correct.sum())
    low, high = intervals.wilson(right, n)
    found = {"top1": round(m.top1, 6), "n": n, "low": round(low, 6), "high": round(high, 6)}
    return found if m.note is None else {**found, "note": m.note}


def main_tap(encoder: Encoder) -> str:
    """The tap that is probed: fc6, or the pooled features of an encoder without it."""
    return "fc6" if "fc6" in encoder.taps else encoder.taps[-1]


def _read(encoder: Encoder | None, images: Tensor, size: int) -> Tensor:
    """Features of the main tap, or the pixels of the centre view where there is no encoder."""
    if encoder is None:
        return probe.raw_pixels(images, size)
    tap = main_tap(encoder)
    return probe.features(encoder, images, (tap,))[tap]


def suite(
    encoder: Encoder | None, chosen: dict[str, list[str]], size: int, seed: int
) -> Iterator[Part]:
    """Linear probes on small tasks: top-1, chance, and (top-1 − chance)/(1 − chance) as ``gain``; raw pixels of ``size`` where ``encoder`` is None."""
    for group, names in chosen.items():
        for name in names:
            training, test = tasks.load(name)
            found = probe.linear(
                _read(encoder, training.images, size),
                training.labels,
                _read(encoder, test.images, size),
                test.labels,
                len(training.classes),
                seed,
            )
            chance = float(torch.bincount(test.labels).max() / len(test))
            yield (
                name,
                {
                    **result(found),
                    "group": group,
                    "train": len(training),
                    "chance": round(chance, 6),
                    "gain": round((found.top1 - chance) / (1 - chance), 6),
                },
            )


def layers(encoder: Encoder, training: ImageSet, test: ImageSet, seed: int) -> Iterator[Part]:
    """Linear probes on every tap; convolutions averaged over space."""
    datasets.agree(training, test)
    a, b = (probe.features(encoder, images.images, encoder.taps) for images in (training, test))
    for tap in encoder.taps:
        found = probe.linear(a[tap], training.labels, b[tap], test.labels, len(test.classes), seed)
        yield tap, {**result(found), "size": a[tap].shape[1]}


def few_shot(encoder: Encoder, training: ImageSet, test: ImageSet, seed: int) -> Iterator[Part]:
    """Accuracy from n examples per class: the mean over draws of examples, and its t-interval over draws; the test images are the same for all."""
    datasets.agree(training, test)
    tap = main_tap(encoder)
    x, y = (probe.features(encoder, images.images, (tap,))[tap] for images in (training, test))
    labels, truth = training.labels.to(x.device), test.labels.to(x.device)
    for shots in SHOTS:
        found = []
        for draw in range(DRAWS):
            chosen = examples(training.labels, shots, seed, draw).to(x.device)
            classify = nearest_mean if shots <= NEAREST_MEAN else ridge
            predicted = classify(x[chosen], labels[chosen], y, len(test.classes))
            found.append(float((predicted == truth).double().mean()))
        mean, low, high = intervals.paired_t(np.array(found))
        yield (
            str(shots),
            {
                "top1": round(mean, 6),
                "low": round(low, 6),
                "high": round(high, 6),
                "draws": DRAWS,
                "n": len(test),
            },
        )


def examples(labels: Tensor, shots: int, seed: int, draw: int) -> Tensor:
    """Positions of ``shots`` examples of each class (all of a smaller class), int64, a function of the labels, the seed and the draw."""
    order = rng.permutation(rng.key("few-shot", seed, draw), len(labels))
    shuffled = labels[order]
    return order[datasets.rank_within_class(shuffled) < shots]


def nearest_mean(x: Tensor, labels: Tensor, y: Tensor, classes: int) -> Tensor:
    """Class whose mean example has the largest cosine: float (n, d), int64 (n,), float (m, d) → int64 (m,)."""
    means = x.new_zeros(classes, x.shape[1])
    means.index_add_(0, labels, torch.nn.functional.normalize(x, dim=1))
    return (
        torch.nn.functional.normalize(y, dim=1) @ torch.nn.functional.normalize(means, dim=1).T
    ).argmax(1)


def ridge(x: Tensor, labels: Tensor, y: Tensor, classes: int) -> Tensor:
    """Least squares on ±1 targets, mean over examples + ‖w‖²/n, of standardised features over √d, solved in the dual: as :func:`nearest_mean`."""
    standardise = probe.Standardise(x)
    z, target = (
        standardise(x).double(),
        2 * torch.nn.functional.one_hot(labels, classes).double() - 1,
    )
    kernel = z @ z.T / z.shape[1]
    eye = torch.eye(len(z), dtype=torch.float64, device=z.device)
    weight = torch.linalg.solve(kernel + eye, target - target.mean(0))
    return (standardise(y) @ (z.T @ weight).float() / z.shape[1] + target.mean(0).float()).argmax(1)


def fine_tuning(
    encoder: Encoder,
    training: ImageSet,
    test: ImageSet,
    lengths: Sequence[int],
    seed: int,
    device: str = "cpu",
) -> Iterator[Part]:
    """All layers trained on labelled images, from the encoder as it is; the rate chosen on a fifth of train, then from the start on all of it.

    A part for each of ``lengths``, in epochs: a short schedule favours pre-training.
    Raises: DataError where no class has two training images, so that no rate can be chosen."""
    datasets.agree(training, test)
    apart = probe.held_out(training.labels, seed)
    if not bool(apart.any()):
        raise DataError(
            "fine-tuning: no class has two training images to choose the rate on; give more"
        )
    inner, held = (
        dataclasses.replace(training, images=training.images[part], labels=training.labels[part])
        for part in (~apart, apart)
    )
    for epochs in lengths:
        scores = {
            lr: float(_fine_tuned(encoder, inner, held, lr, epochs, seed, device).double().mean())
            for lr in RATES
        }
        lr = max(scores, key=lambda rate: (scores[rate], -rate))
        correct = _fine_tuned(encoder, training, test, lr, epochs, seed, device)
        yield (
            f"{epochs} epochs",
            {
                **result(Measured(float(correct.double().mean()), correct)),
                "lr": lr,
                "train": len(training),
            },
        )


def _fine_tuned(
    encoder: Encoder,
    training: ImageSet,
    test: ImageSet,
    lr: float,
    epochs: int,
    seed: int,
    device: str,
) -> Tensor:
    """Which test images a fine-tuned copy gets right, bool (n,)."""
    size = encoder.options["input_size"]
    images = probe.centre_view(training.images, size)
    method = Supervised(copy.deepcopy(encoder), {}, len(training.classes), seed)
    views = Augmentation(size, scale_min=0.5, jitter_p=0.0, grey_p=0.0)
    optimisation = Optimisation(epochs, FINE_TUNING_BATCH, lr)
    Training(images.to(device), method, views, optimisation, seed, training.labels).run()
    with torch.no_grad():
        found = [
            method.head(method.encoder.embed(x)).argmax(1).cpu()
            for x in probe.batches(method.encoder, test.images)
        ]
    return torch.cat(found) == test.labels
