"""Further measurements of trained encoders and of their images, one JSON file each, planned in ``workflow/measurements.toml``."""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core import files, machine, progress, stats
from ..core.augment import Augmentation
from ..core.errors import ParameterError
from ..core.options import build
from ..data import datasets, stream
from ..data.datasets import ImageSet
from ..learn import encoders
from ..measure.base import MEASUREMENTS, Measurement, encoder_of
from . import comparison, records, run
from .comparison import Comparison
from .profiles import Profile, anywhere, is_study
from .rows import Row, row, spec

REFERENCE = "real"  # the row in whose encoder's features pictures are compared
CHANGED = Comparison(
    False, "for the same spec", "what it was made of has changed: measure again", strict=True
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured on which rows: ``rows`` of the study's profiles, ``smoke`` of the smoke
    profile; ``seeds`` of each; options by profile, where they are not the measurement's own."""

    rows: tuple[str, ...]
    smoke: tuple[str, ...]
    seeds: int = 1
    options: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


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
        name: Plan(
            tuple(entry["rows"]),
            tuple(entry["smoke"]),
            entry.get("seeds", 1),
            entry.get("options", {}),
        )
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


@dataclasses.dataclass(frozen=True)
class Subject:
    """A row, a profile and a seed, as what is measured."""

    row: Row
    profile: Profile
    seed: int

    @property
    def settings(self) -> Profile:
        """The row's profile."""
        return self.row.profile(self.profile)

    def encoder(self) -> encoders.Encoder | None:
        """The row's encoder, trained if it has to be."""
        if self.row.kind in ("raw_pixels", "mean_colours"):
            return None
        trained = (
            run.trained_encoder(self.row, self.profile, self.seed) if self.row.trained else Path()
        )
        return run.encoder_of(self.row, self.settings, self.seed, trained)

    def reference(self) -> encoders.Encoder:
        """The encoder in whose features pictures are compared."""
        return encoder_of(Subject(row(REFERENCE), self.profile, 0))

    def reference_id(self) -> str:
        """Id of that encoder's record."""
        return files.digest(spec(row(REFERENCE), self.profile, 0))

    def probe_data(self) -> tuple[ImageSet, ImageSet]:
        """Training images, so many of each class, and test images, at the size of views."""
        training, test = datasets.both(self.settings.data, self.settings.crop)
        return training.first(self.settings.per_class), test

    def pictures(self, n: int) -> Tensor:
        """The first ``n`` pictures that it trains on."""
        p = self.settings
        return stream.pool(self.source(), p.n_images, p.image_size, self.seed, p.device)[:n]

    def source(self) -> Any:
        """Where its pictures come from."""
        return run.source_of(self.row, self.profile, self.seed)

    def source_spec(self) -> Mapping[str, Any]:
        """What decides them."""
        return spec(self.row, self.profile, self.seed)["source"]

    def views(self) -> Augmentation:
        """The views that it trains on."""
        return self.settings.augmenter()


def made(what: str, profile: Profile) -> Measurement:
    """A measurement with the options that it has in a profile."""
    kind = MEASUREMENTS[what]
    own = plans()[what].options.get(profile.name, {})
    return kind(build(kind.Options, f"measurement {what!r}", own))


def parts(
    what: str, row_: Row, profile: Profile, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of a measurement, as they are made."""
    for name, part in made(what, profile).parts(Subject(row_, profile, seed), seed):
        yield name, part.to_json()


def described(what: str, row_: Row, profile: Profile, seed: int) -> dict[str, Any]:
    """All that decides a measurement's result: the encoder's record, the data, what is measured."""
    main = spec(row_, profile, seed)
    return {
        "what": what,
        "record": files.digest(main),
        "data": main["data"],
        "seed": seed,
        **made(what, profile).spec_fields(Subject(row_, profile, seed)),
    }


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
    results: dict[str, Any] = {}
    with progress.bar(None, f"{what} of {row_.name}", "part") as shown:
        for name, value in parts(what, row_, profile, seed):
            results[name] = value
            shown.update()
    record = {"id": files.digest(wanted), "row": row_.name, "profile": profile.name, "spec": wanted, "results": results,
            "cost": {"wall_seconds": round(time.perf_counter() - began, 1)}, "provenance": run.provenance(wanted, profile)}  # fmt: skip
    records.write(where, record)
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
    name, part = next(parts(what, row_, profile, seed))
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
