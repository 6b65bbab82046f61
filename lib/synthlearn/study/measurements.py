"""Further measurements of trained encoders and of their images, one JSON file each, planned in ``workflow/measurements.toml``."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import files, intervals, machine, progress, stats
from ..core.augment import Augmentation
from ..core.errors import ParameterError
from ..core.image import MEAN, STD, resize
from ..data import datasets, stream
from ..data.datasets import ImageSet
from ..learn import encoders
from ..measure import fidelity, long_tail, memory, private, probe, properties, tasks, transfer
from ..measure.transfer import Part
from ..text2image import nearest
from ..text2image.captions import CaptionSource
from . import comparison, records, run
from .comparison import Comparison
from .profiles import Profile, anywhere, is_study
from .rows import Row, row, spec

JUDGE_TAP = "fc6"  # of the reference encoder: where the classifier that judges samples reads
COPY = 0.06  # distance to the nearest real image below which a sample counts as a copy of it
REFERENCE, REFERENCE_TAP = (
    "real",
    "conv5",
)  # the encoder in whose features properties are measured; few numbers, so that 2,000 images are enough
RIDGE = 1e-3  # of the log volume, of the mean eigenvalue of the real images
IMAGES, LEAST = (
    2000,
    12,
)  # of each set, for properties; the least: half of them have more than five neighbours
FEW, LENGTHS = 100, (5, 20)  # fine-tuning: training images per class, epochs
FEW_SMOKE, LENGTHS_SMOKE = 10, (1, 2)
CHANGED = Comparison(
    False, "for the same spec", "what it was made of has changed: measure again", strict=True
)
SIZES = (10, 30, 100, 300, 1000)  # of a memory, images per class
ASKED = 2000  # test images, of which is asked what a single entry does
EPSILONS, NOISES = (1.0, 2.0, 4.0, 8.0), 5  # of private learning; draws of its noise
PUBLIC = {
    "smoke": "orientation"
}  # the task on which its settings are chosen; in the study a set of satellite images


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured on which rows: ``rows`` of the study's profiles, ``smoke`` of the smoke profile; ``seeds`` of each."""

    rows: tuple[str, ...]
    smoke: tuple[str, ...]
    seeds: int = 1


@cache
def plans() -> dict[str, Plan]:
    """The plans by name, as written. Raises ParameterError for an unknown measurement or row."""
    table = files.read_workflow("measurements.toml")
    for name, entry in table.items():
        if name not in MEASUREMENTS:
            raise ParameterError(
                f"workflow/measurements.toml: {name!r} is not a measurement; allowed are {', '.join(MEASUREMENTS)}"
            )
        for each in (*entry["rows"], *entry["smoke"]):
            row(each)
    return {
        name: Plan(tuple(entry["rows"]), tuple(entry["smoke"]), entry.get("seeds", 1))
        for name, entry in table.items()
    }


def planned(what: str, profile: Profile) -> list[tuple[Row, int]]:
    """Rows and seeds of a measurement in a profile."""
    plan = plans()[what]
    return [
        (row(name), seed)
        for name in (plan.smoke if profile.name == "smoke" else plan.rows)
        for seed in range(1 if profile.name == "smoke" else plan.seeds)
    ]


def _encoder(row: Row, profile: Profile, seed: int) -> encoders.Encoder:
    """The row's encoder, trained if it has to be."""
    p = row.profile(profile)
    trained = run.trained_encoder(row, profile, seed) if row.trained else Path()
    return run.encoder_of(row, p, seed, trained)


def _probed(p: Profile) -> tuple[ImageSet, ImageSet]:
    training, test = datasets.both(p.data, p.crop)
    return training.first(p.per_class), test


def _suite(row: Row, profile: Profile, seed: int) -> Iterator[Part]:
    chosen = (
        tasks.suite()
        if profile.name != "smoke"
        else {"specialised": ["digits"], "structured": ["position"]}
    )
    yield from transfer.suite(
        None if row.kind == "raw_pixels" else _encoder(row, profile, seed),
        chosen,
        profile.crop,
        seed,
    )


def _layers(row: Row, profile: Profile, seed: int) -> Iterator[Part]:
    yield from transfer.layers(_encoder(row, profile, seed), *_probed(profile), seed)


def _few_shot(row: Row, profile: Profile, seed: int) -> Iterator[Part]:
    yield from transfer.few_shot(_encoder(row, profile, seed), *_probed(profile), seed)


def _fine_tuning(row: Row, profile: Profile, seed: int) -> Iterator[Part]:
    training, test = _probed(profile)
    few, lengths = (FEW_SMOKE, LENGTHS_SMOKE) if profile.name == "smoke" else (FEW, LENGTHS)
    yield from transfer.fine_tuning(
        _encoder(row, profile, seed), training.first(few), test, lengths, seed, profile.device
    )


def _properties(row_: Row, profile: Profile, seed: int) -> Iterator[Part]:
    """Properties of the pictures that the row trains on against test images of the probe's set, and those of as many other test images beside them."""
    p = row_.profile(profile)
    reference = _encoder(row(REFERENCE), profile, 0)
    n = min(IMAGES, p.n_images)
    pictures = stream.pool(
        run.source_of(row_, profile, seed), p.n_images, p.image_size, seed, p.device
    )[:n]
    test = large_enough(
        datasets.sample(datasets.load(p.data, "test", p.crop), 2 * n).images, p.crop
    )
    yield from compared(reference, REFERENCE_TAP, pictures, test, p.augmenter(), seed)


def _guidance(row_: Row, profile: Profile, seed: int) -> Iterator[Part]:
    """Fidelity and variety of the pictures of a text-to-image row, in the reference encoder's features; beside them real images.

    The judge of classes learned from real images that neither the model nor the probe has (in the cpu profile the second half of each class's).
    """
    p = row_.profile(profile)
    reference = _encoder(row(REFERENCE), profile, 0)
    source = run.source_of(row_, profile, seed)
    assert isinstance(source, CaptionSource)
    index = torch.arange(min(IMAGES, p.n_images))
    pictures, ids = (
        source.sample(index, p.image_size, seed, p.device).cpu(),
        index % len(source.texts()),
    )
    real, captions = source.real()
    every, test = datasets.both(p.data)
    test = datasets.sample(test, 2 * len(index))
    judging = (
        datasets.rank_within_class(every.labels) >= p.per_class
    )  # where the model has every image (per_class = 0), all of them

    def read(images: Tensor, tap: str) -> Tensor:
        return probe.features(reference, large_enough(images, p.crop), (tap,))[tap].cpu()

    judge = fidelity.Judge(
        read(every.images[judging], JUDGE_TAP), every.labels[judging], len(every.classes), seed
    )
    held = test.images[: len(index)]
    x, y, z = (
        read(images, REFERENCE_TAP).double()
        for images in (pictures, held, test.images[len(index) : 2 * len(index)])
    )
    order = datasets.class_balanced_order(real)[: len(index)]
    told, said = source.classes()[ids], judge.says(read(pictures, JUDGE_TAP))
    theirs = judge.says(read(held, JUDGE_TAP))
    near, far = (
        nearest(resize(i, real.images.shape[-1]), real.images)[0] for i in (pictures, held)
    )
    values = {
        "frechet": (properties.frechet(y, x), properties.frechet(y, z)),
        "precision": tuple(properties.neighbourhoods(y, of)["precision"] for of in (x, z)),
        "recall": tuple(properties.neighbourhoods(y, of)["recall"] for of in (x, z)),
        "variety": (
            fidelity.variety(x, ids),
            fidelity.variety(read(real.images[order], REFERENCE_TAP).double(), captions.ids[order]),
        ),
        "agreement": (
            float((said == told).double().mean()),
            float((theirs == test.labels[: len(index)]).double().mean()),
        ),
        "imbalance": (
            fidelity.imbalance(said, len(every.classes)),
            fidelity.imbalance(theirs, len(every.classes)),
        ),
        "distance": (float(near.median()), float(far.median())),
        "copies": (float((near < COPY).double().mean()), float((far < COPY).double().mean())),
    }
    for name, (value, beside) in values.items():
        yield (
            name,
            {
                "value": properties.rounded(name, value),
                "real": properties.rounded(name, beside),
                "n": len(index),
            },
        )


def _long_tail(row_: Row, profile: Profile, seed: int) -> Iterator[Part]:
    """Accuracy on common and rare classes for each way to train a linear classifier on the row's features; a part per arm."""
    p, encoder = row_.profile(profile), _encoder(row_, profile, seed)
    tap = transfer.main_tap(encoder)

    def read(images: Tensor) -> Tensor:
        return probe.features(encoder, large_enough(images, p.crop), (tap,))[tap].cpu()

    training, test = datasets.both(p.data)
    training = training.first(p.per_class)
    most = int(torch.bincount(training.labels).min())
    views = dataclasses.replace(p.augmenter(), crop=min(p.crop, training.images.shape[-1]))
    for name, correct in long_tail.arms(read, training, test, most, views, seed, p.device).items():
        parts = long_tail.by_part(correct, test.labels, seed)
        shares = {part: round(right / n, 6) for part, (right, n) in parts.items()}
        yield (
            name,
            {
                **transfer.result(probe.Measured(float(correct.double().mean()), correct)),
                **shares,
                "tests": {part: n for part, (_, n) in parts.items()},
            },
        )


def _memory(row_: Row, profile: Profile, seed: int) -> Iterator[Part]:
    """A visual memory of the probe's training images: accuracy by its size, without a class, and the share of entries that any decision hangs on."""
    p, encoder = row_.profile(profile), _encoder(row_, profile, seed)
    tap = transfer.main_tap(encoder)
    training, test = _probed(p)
    entries, asked = (
        memory.embed(encoder, images.images, tap).cpu() for images in (training, test)
    )
    some = asked[datasets.sampled(test, ASKED)]
    turn, names = (
        datasets.rank_within_class(training.labels),
        [f"{i:06d}" for i in range(len(training.labels))],
    )

    def remembered(kept: Tensor) -> memory.Memory:
        held = memory.Memory({}, entries.shape[1])
        at = torch.nonzero(kept).flatten().tolist()
        held.add(
            [names[i] for i in at],
            [training.classes[training.labels[i]] for i in at],
            entries[kept],
        )
        return held

    def right(held: memory.Memory) -> Tensor:
        return (
            torch.tensor([training.classes.index(c) for c in held.classify(asked)]) == test.labels
        )

    most = int(torch.bincount(training.labels).min())
    for size in sorted({min(size, most) for size in SIZES}):
        correct = right(remembered(turn < size))
        yield (
            f"{size}",
            {
                **transfer.result(probe.Measured(float(correct.double().mean()), correct)),
                "entries": size * len(training.classes),
            },
        )
    whole = remembered(turn < most)
    before = right(whole)
    share = len(whole.influential(some)) / len(whole)
    yield "influential", {"value": round(share, 6), "n": len(some), "entries": len(whole)}
    first = int(test.labels.min())
    gone = training.classes[first]
    whole.remove_class(gone)
    after, others = right(whole), test.labels != first
    yield "without a class", {"class": gone, "top1": round(float(after[others].double().mean()), 6), "before": round(float(before[others].double().mean()), 6),
                              "of it": round(float(after[~others].double().mean()), 6), "n": int(others.sum())}  # fmt: skip


def _epsilons(profile: Profile) -> tuple[float, ...]:
    return EPSILONS if profile.name not in PUBLIC else EPSILONS[::3]


def _private(row_: Row, profile: Profile, seed: int) -> Iterator[Part]:
    """Private linear classifiers on the row's features, a part per ε: the mean over draws of the noise, and the setting chosen on the public set."""
    p, encoder = row_.profile(profile), _encoder(row_, profile, seed)
    tap = transfer.main_tap(encoder)
    public = tasks.load(PUBLIC[p.name]) if p.name in PUBLIC else datasets.both("eurosat-64", p.crop)
    training, test = _probed(p)
    own, asked, known, held = (
        probe.features(encoder, large_enough(s.images, p.crop), (tap,))[tap].cpu()
        for s in (training, test, *public)
    )
    x, y, u, v = (private.prepared(each, known) for each in (own, asked, known, held))
    classes, scale = len(training.classes), len(x) / len(u)
    for epsilon in _epsilons(p):
        found = private.chosen(
            (u, public[0].labels),
            (v, public[1].labels),
            len(public[0].classes),
            epsilon,
            scale,
            private.settings(),
        )
        noise = private.noise_multiplier(epsilon, found.steps)
        each = [
            private.accuracy(
                y, test.labels, private.fit(x, training.labels, classes, found, noise, draw)
            )
            for draw in range(NOISES)
        ]
        mean, low, high = intervals.paired_t(np.array(each))
        yield f"{epsilon:g}", {"top1": round(mean, 6), "low": round(low, 6), "high": round(high, 6), "each": [round(a, 6) for a in each], "n": len(y),
                               "steps": found.steps, "rate": found.rate, "noise": round(noise, 4), "tried": len(private.settings())}  # fmt: skip


def large_enough(images: Tensor, side: int) -> Tensor:
    """Images that can be cropped to ``side``, enlarged where they are smaller."""
    return resize(images, side) if min(images.shape[-2:]) < side else images


def compared(
    reference: encoders.Encoder,
    tap: str,
    pictures: Tensor,
    test: Tensor,
    augmentation: Augmentation,
    seed: int = 0,
) -> Iterator[Part]:
    """Properties of pictures against the first half of real ones, in features of ``reference``; beside them those of the other half.

    Args:
        pictures: uint8 (n, 3, s, s). test: uint8 (2n, 3, t, t).
        augmentation: of the two views of coherence.
    """
    n, device = len(pictures), next(reference.parameters()).device
    real, other = test[: len(test) // 2], test[len(test) // 2 :]

    @torch.no_grad()
    def read(normalised: Tensor) -> Tensor:
        found = torch.cat(
            [
                reference.features(_as_for(reference, x.to(device)), (tap,))[tap]
                for x in normalised.split(probe.BATCH)
            ]
        )
        return probe.finite(found, tap).double().cpu()

    def features(images: Tensor) -> Tensor:
        return probe.features(reference, images, (tap,))[tap].double().cpu()

    y = features(real)
    ridge = RIDGE * float(properties.moments(y)[1].trace()) / y.shape[1]
    colours = properties.colour_histogram(real)

    def properties_of(images: Tensor) -> dict[str, float]:
        x = features(images)
        views = properties.two_views(images[: n // 2], augmentation, seed)
        found = {
            "frechet": properties.frechet(y, x),
            **properties.neighbourhoods(y, x),
            "log_volume": properties.log_volume(x, ridge),
        }
        found |= {
            "effective_rank": properties.effective_rank(x),
            "colour_kl": properties.symmetric_kl(colours, properties.colour_histogram(images)),
        }
        found["spectrum"] = properties.spectrum_exponent(images)
        found["coherence"], found["retrieval"] = properties.coherence(*(read(v) for v in views))
        found["colour_coherence"], found["colour_retrieval"] = properties.coherence(
            *(v.mean((2, 3)).double() for v in views)
        )
        return found

    ours, theirs = properties_of(pictures), properties_of(other)
    for name, value in ours.items():
        yield (
            name,
            {
                "value": properties.rounded(name, value),
                "real": properties.rounded(name, theirs[name]),
                "n": n,
            },
        )


def _as_for(encoder: encoders.Encoder, views: Tensor) -> Tensor:
    """Views as training makes them, in the size and normalisation of another encoder."""
    size = encoder.options["input_size"]
    if (*map(tuple, encoder.normalisation), views.shape[-1]) == (MEAN, STD, size):
        return views
    (mean, std), (wanted_mean, wanted_std) = (
        (torch.tensor(c, device=views.device).view(3, 1, 1) for c in n)
        for n in ((MEAN, STD), encoder.normalisation)
    )
    pixels = torch.nn.functional.interpolate(
        views * std + mean, (size, size), mode="bilinear", antialias=True
    )
    return (pixels - wanted_mean) / wanted_std


MEASUREMENTS: dict[str, Callable[[Row, Profile, int], Iterator[Part]]] = {
    "transfer": _suite, "layers": _layers, "few_shot": _few_shot, "fine_tuning": _fine_tuning, "properties": _properties,
    "guidance": _guidance, "long_tail": _long_tail, "memory": _memory, "private": _private,
}  # fmt: skip
MODULES = {
    "transfer": ("transfer", "tasks"),
    "layers": ("transfer",),
    "few_shot": ("transfer",),
    "fine_tuning": ("transfer",),
    "properties": ("properties", "probe", "stream"),
    "guidance": ("fidelity", "properties", "text2image"),
    "long_tail": ("long_tail",),
    "memory": ("memory",),
    "private": ("private",),
}


def described(what: str, row_: Row, profile: Profile, seed: int) -> dict[str, Any]:
    """All that decides a measurement's result: the record of the encoder, the pictures, the data, and the modules that measure."""
    p, main = row_.profile(profile), spec(row_, profile, seed)
    found: dict[str, Any] = {
        "what": what,
        "record": files.digest(main),
        "data": main["data"],
        "modules": MODULES[what],
        "seed": seed,
    }
    if what == "transfer" and profile.name != "smoke":
        found["tasks"] = {
            name: [s.sha256 for s in tasks.load(name)]
            for names in tasks.suite().values()
            for name in names
        }
    if what == "private":
        found |= {"epsilons": _epsilons(p), "noises": NOISES}
    if what == "private" and p.name not in PUBLIC:
        found["public"] = [
            datasets.load("eurosat-64", split, p.crop).sha256 for split in datasets.SPLITS
        ]
    if what == "fine_tuning":
        found["per_class"], found["epochs"] = (
            (FEW_SMOKE, LENGTHS_SMOKE) if profile.name == "smoke" else (FEW, LENGTHS)
        )
    if what in ("properties", "guidance"):
        found |= {
            "source": main["source"],
            "reference": files.digest(spec(row(REFERENCE), profile, 0)),
            "tap": REFERENCE_TAP,
            "images": min(IMAGES, p.n_images),
        }
    return found


def _specs(what: str, row_: Row, profile: Profile, seed: int) -> Iterator[dict[str, Any]]:
    """:func:`described` on each kind of device, the profile's own first."""
    return (described(what, row_, p, seed) for p in anywhere(profile))


def path(what: str, row_: Row, profile: Profile, seed: int) -> Path:
    """The measurement's file."""
    return records.folder(profile, "measurements") / what / f"{row_.name}-s{seed}.json"


def state(what: str, row_: Row, profile: Profile, seed: int) -> str:
    """Whether a measurement is "fresh", "stale" or "missing"."""
    where = path(what, row_, profile, seed)
    if not where.exists():
        return "missing"
    return (
        "fresh"
        if records.fresh(records.read(where), _specs(what, row_, profile, seed))
        else "stale"
    )


def measurement(what: str, row_: Row, profile: Profile, seed: int) -> dict[str, Any]:
    """A measurement: read if it is fresh, else made and written; the row's encoder is trained if it has to be."""
    wanted, where = described(what, row_, profile, seed), path(what, row_, profile, seed)
    if where.exists():
        found = records.read(where)
        if records.fresh(found, _specs(what, row_, profile, seed)):
            return found
    run.prepare(profile)
    began = time.perf_counter()
    parts: dict[str, Any] = {}
    with progress.bar(None, f"{what} of {row_.name}", "part") as shown:
        for name, value in MEASUREMENTS[what](row_, profile, seed):
            parts[name] = value
            shown.update()
    made = {"id": files.digest(wanted), "row": row_.name, "profile": profile.name, "spec": wanted, "results": parts,
            "cost": {"wall_seconds": round(time.perf_counter() - began, 1)}, "provenance": run.provenance(wanted, profile)}  # fmt: skip
    records.write(where, made)
    return records.read(where)


def estimate(what: str, profile: Profile) -> float:
    """Seconds that one measurement is likely to take: the mean of the committed ones of its kind, a minute where there is none."""
    found = [r["cost"]["wall_seconds"] for r in records.read_all(profile.name, what)]
    return sum(found) / len(found) if found else 60.0


def measured(what: str, profile: Profile) -> dict[str, list[dict[str, Any]]]:
    """Planned measurements of a kind by row: in the study's own profiles those that are recorded, but all where none is; in others all, made where missing."""
    wanted = planned(what, profile)
    there = (
        [(row_, seed) for row_, seed in wanted if path(what, row_, profile, seed).exists()]
        if is_study(profile)
        else wanted
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row_, seed in there or wanted:
        found.setdefault(row_.name, []).append(measurement(what, row_, profile, seed))
    return found


def replay(what: str, row_: Row, profile: Profile, seed: int) -> Comparison:
    """Make the first part of a measurement again under the code at hand, and compare it.

    On the record's kind of machine it must be equal to the bit; elsewhere an encoder that is trained again is another one, see :mod:`.comparison`.
    """
    found = records.read(path(what, row_, profile, seed))
    wanted = records.spec_of(found, _specs(what, row_, profile, seed))
    if wanted is None:
        return CHANGED
    run.prepare(profile)
    name, part = next(MEASUREMENTS[what](row_, profile, seed))
    recorded = found["results"].get(name, {})
    if machine.same(found["provenance"], profile.device):
        compared = comparison.to_the_bit({name: _digits_of(recorded, part)}, {name: recorded})
    elif part.keys() != recorded.keys():
        compared = Comparison(
            False, "for the same fields", f"{name}: {part} for {recorded}", strict=True
        )
    elif "top1" not in part:
        compared = comparison.value(
            name, part["value"], recorded["value"], spread(what, name, profile)
        )
    elif row_.trained or what == "fine_tuning":
        compared = comparison.runs(
            {name: part["top1"]},
            {name: recorded["top1"]},
            {name: spread(what, name, profile)},
            part["n"],
            "encoders",
        )
    else:
        compared = comparison.untrained({name: part["top1"]}, {name: recorded["top1"]})
    if compared.agrees and compared.strict:
        records.confirm(found, records.code_of(wanted))
    return compared


def _digits_of(recorded: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A part made again, with as many digits as the recorded one: older records have six decimals whatever a value's scale."""
    old = {k for k, v in recorded.items() if isinstance(v, float) and v == round(v, 6)}
    return {k: round(v, 6) if k in old and isinstance(v, float) else v for k, v in part.items()}


def spread(what: str, name: str, profile: Profile) -> stats.Spread:
    """How far two encoders of a row lie apart by a part of a measurement, pooled over its trained rows; unknown where none has two."""
    rows: dict[str, list[float]] = {}
    for r in records.read_all(profile.name, what):
        part = r["results"].get(name)
        if part and row(r["row"]).trained:
            rows.setdefault(r["row"], []).append(part.get("top1", part.get("value")))
    return stats.pooled(rows.values())
