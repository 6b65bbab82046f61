"""Further measurements of trained encoders and of their images, planned in
``workflow/measurements.toml``: the jobs that make them."""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..core import files, progress, stats
from ..core.errors import ParameterError
from ..core.options import build
from ..data import datasets
from ..measure.base import MEASUREMENTS, Measurement, Part
from . import comparison, contracts, entries, store
from .comparison import Comparison, to_the_bit
from .experiment import Experiment
from .profiles import Profile, defaults
from .provenance import provenance
from .records import Cost, MeasurementRecord, Spec
from .rows import get_row

FILE = "workflow/measurements.toml"
LISTS = {"rows": list, "smoke": list}  # of an entry there
MORE = {"seeds": int, "options": dict, "starts": list}  # that it may have besides
SMOKE = "smoke"
MINUTE = 60.0
# Measurements whose fields of the spec ask the run nothing: the images of all tasks, which take a
# second to read, are the same for every run.
OF_EVERY_RUN = ("transfer",)
_FIELDS: dict[str, dict[str, Any]] = {}  # of those, by options and archives
Measured = Mapping[str, Sequence[MeasurementRecord]]  # records of one measurement, by row


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured on which rows: ``rows`` of the study's profiles, ``smoke`` of the smoke
    profile; ``seeds`` of each; options by profile, where they are not the measurement's own.
    ``starts``: rows of a short start that compares two versions, where the smoke profile has none.
    """

    rows: tuple[str, ...]
    smoke: tuple[str, ...]
    seeds: int = 1
    starts: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def experiments(self, profile: Profile) -> list[Experiment]:
        """Rows and seeds that are measured in a profile."""
        smoke = profile.name == SMOKE
        seeds = range(1 if smoke else self.seeds)
        names = self.smoke if smoke else self.rows
        return [Experiment(get_row(name), profile, seed) for name in names for seed in seeds]

    def of_start(self, smoke: Profile) -> list[Experiment]:
        """Rows of the smoke profile that a short start is of: those that it measures, or else those
        that are named for it alone."""
        return [Experiment(get_row(name), smoke, 0) for name in self.smoke or self.starts]


@cache
def plans() -> Mapping[str, Plan]:
    """The plans by name, as written.

    Raises: ParameterError for an unknown measurement, row or option.
    """
    table = files.read_workflow("measurements.toml")
    every: dict[str, Plan] = {}
    for name, entry in table.items():
        if name not in MEASUREMENTS:
            known = ", ".join(MEASUREMENTS)
            raise ParameterError(f"{FILE}: {name!r} is not a measurement; allowed are {known}")
        try:
            every[name] = _plan(name, entry)
        except ParameterError as error:
            raise ParameterError(f"{FILE}: {error}") from error
    return every


def _plan(name: str, entry: dict[str, Any]) -> Plan:
    """A plan from its entry in the file. Raises ParameterError for what it must not hold."""
    entries.check(f"[{name}]", entry, LISTS, MORE)
    options = entry.get("options", {})
    for profile, own in options.items():
        defaults(profile)
        if not isinstance(own, dict):
            raise ParameterError(f"[{name}.options.{profile}] = {own!r}: must be a table")
        build(MEASUREMENTS[name].Options, f"measurement {name!r}", own)
    starts = entry.get("starts", [])
    if not (entry["smoke"] or starts):
        raise ParameterError(f"[{name}]: names no row of the smoke profile; give smoke, or starts")
    for row in (*entry["rows"], *entry["smoke"], *starts):
        get_row(row)
    return Plan(
        rows=tuple(entry["rows"]),
        smoke=tuple(entry["smoke"]),
        seeds=entry.get("seeds", 1),
        options=options,
        starts=tuple(starts),
    )


def measurement(name: str, profile: Profile) -> Measurement:
    """A measurement by name, with the options that it has in a profile."""
    kind = MEASUREMENTS[name]
    plan = plans().get(name)
    own = plan.options.get(profile.name, {}) if plan else {}
    return kind(build(kind.Options, f"measurement {name!r}", own))


@dataclasses.dataclass(frozen=True)
class Measuring:
    """The job of one measurement of one experiment (:class:`.store.Job`)."""

    name: str
    experiment: Experiment

    kind = MeasurementRecord

    @cached_property
    def measurement(self) -> Measurement:
        """What is measured."""
        return measurement(self.name, self.profile)

    @property
    def profile(self) -> Profile:
        """Of the experiment."""
        return self.experiment.profile

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name} of {self.experiment.title}"

    @property
    def path(self) -> Path:
        """The record's file."""
        folder = store.folder(self.profile, MeasurementRecord)
        return folder / self.name / self.experiment.path.name

    @cached_property
    def spec(self) -> Spec:
        """All that decides its result: the record of the encoder, the data, what is measured."""
        of = self.experiment.spec
        content = {
            "what": self.name,
            "record": of.id,
            "data": of.content["data"],
            "seed": self.experiment.seed,
            **self._spec_fields(),
        }
        return Spec(content)

    def _spec_fields(self) -> dict[str, Any]:
        """The measurement's own fields of the spec; those of :data:`OF_EVERY_RUN` are read once for
        the options and archives at hand."""
        if self.name not in OF_EVERY_RUN:
            return contracts.spec_fields(self.measurement, self.experiment)
        key = files.digest([self.name, vars(self.measurement.options), datasets.manifest()])
        if key not in _FIELDS:
            _FIELDS[key] = contracts.spec_fields(self.measurement, self.experiment)
        return _FIELDS[key]

    def specs(self) -> Iterator[Spec]:
        """Its spec on the profile's device, then on the other kind."""
        for profile in self.profile.on_each_device():
            experiment = dataclasses.replace(self.experiment, profile=profile)
            yield Measuring(self.name, experiment).spec

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Its parts, as they are made."""
        return contracts.parts(self.measurement, self.experiment, self.experiment.seed)

    def make(self) -> MeasurementRecord:
        """Measure; the row's encoder is trained if it has to be."""
        began = time.perf_counter()
        origin = provenance(self.spec, self.experiment.settings.device)
        results: dict[str, Part] = {}
        row = self.experiment.row.name
        with progress.bar(None, f"{self.name} of {row}", "part") as bar:
            for name, part in self.parts():
                results[name] = part
                bar.update()
        cost = Cost(round(time.perf_counter() - began, 1))
        profile = self.profile.name
        return MeasurementRecord(row, profile, self.spec, cost, origin, results)

    def settle(self, record: MeasurementRecord) -> None:
        """Nothing is left to do."""

    def seconds(self) -> float:
        """The mean of the committed ones of its kind, a minute where there is none."""
        every = store.committed(MeasurementRecord, self.profile.name, self.name)
        return sum(r.cost.wall_seconds for r in every) / len(every) if every else MINUTE

    def again(self, record: MeasurementRecord, whole: bool) -> Comparison:
        """Its first part made again: on the record's kind of machine it must be equal to the bit;
        elsewhere an encoder that is trained again is another one, see :mod:`.comparison`."""
        name, part = next(self.parts())
        recorded = record.results.get(name)
        again = part.to_json()
        old = recorded.to_json() if recorded else {}
        if store.is_same_machine(record, self.profile.device):
            return to_the_bit({name: _digits_of(old, again)}, {name: old})
        if recorded is None or again.keys() != old.keys():
            differ = f"{name}: {again} for {old}"
            return Comparison(False, "for the same fields", differ, strict=True)
        now, was = {name: part.number}, {name: recorded.number}
        if part.is_accuracy and not (self.experiment.row.trained or self.measurement.trains):
            return comparison.untrained(now, was)
        apart = {name: spread(self.name, name, self.profile)}
        return comparison.runs(now, was, apart, "encoders")


def _digits_of(recorded: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A part made again, with as many digits as the recorded one: older records have six decimals
    whatever a value's scale."""
    old = {k for k, v in recorded.items() if isinstance(v, float) and v == round(v, 6)}
    return {k: round(v, 6) if k in old and isinstance(v, float) else v for k, v in part.items()}


def spread(measurement: str, part: str, profile: Profile) -> stats.Spread:
    """How far two encoders of a row lie apart by a part of a measurement, pooled over its trained
    rows; unknown where none has two."""
    rows: dict[str, list[float]] = {}
    for record in store.committed(MeasurementRecord, profile.name, measurement):
        if part in record.results and get_row(record.row).trained:
            rows.setdefault(record.row, []).append(record.results[part].number)
    return stats.pooled(rows.values())


def measured(name: str, profile: Profile) -> dict[str, list[MeasurementRecord]]:
    """Planned records of a measurement by row: in the study's own profiles those that are recorded,
    but all where none is; in others all, made where missing."""
    jobs = [Measuring(name, experiment) for experiment in plans()[name].experiments(profile)]
    recorded = [job for job in jobs if job.path.exists()] if profile.is_study else jobs
    rows: dict[str, list[MeasurementRecord]] = {}
    for job in recorded or jobs:
        rows.setdefault(job.experiment.row.name, []).append(store.get(job))
    return rows


def committed(profile: str) -> dict[str, dict[str, list[MeasurementRecord]]]:
    """All committed records of further measurements in a profile, by measurement and row."""
    every: dict[str, dict[str, list[MeasurementRecord]]] = {name: {} for name in plans()}
    for name, rows in every.items():
        for record in store.committed(MeasurementRecord, profile, name):
            rows.setdefault(record.row, []).append(record)
    return every
