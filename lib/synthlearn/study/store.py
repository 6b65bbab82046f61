"""The store of records: whether a job's is fresh, how to get it, whether it still holds.

Pre-trainings, further measurements and trials of a search are all jobs; nothing here knows which.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from ..core import files, machine
from ..core.errors import DataError
from . import records
from .assembly import prepare
from .code import code_of
from .comparison import Comparison
from .profiles import Profile
from .records import MeasurementRecord, Record, Run, Spec, Trial

State = Literal["fresh", "stale", "missing"]
R = TypeVar("R", bound=Record)
R_co = TypeVar("R_co", bound=Record, covariant=True)
FOLDERS: Mapping[type[Record], str] = {
    Run: "records",
    MeasurementRecord: "measurements",
    Trial: "search",
}
CHANGED = "what it was made of has changed: make it again"


class Job(Protocol[R_co]):
    """What leaves a record."""

    @property
    def profile(self) -> Profile:
        """The profile that it belongs to."""

    @property
    def path(self) -> Path:
        """Its record's file."""

    @property
    def kind(self) -> type[R_co]:
        """The type of its record."""

    def specs(self) -> Iterator[Spec]:
        """What it is made for: on the profile's device first, then on the other kind."""

    def make(self) -> R_co:
        """The record, made anew; nothing is written."""

    def settle(self, record: Any) -> None:
        """What is left to do once the record is written."""

    def again(self, record: Any, whole: bool) -> Comparison:
        """The record against what the code at hand gives: its start, or with ``whole`` all."""


def folder(profile: Profile, kind: type[Record]) -> Path:
    """Where records of a profile live: in ``results`` for the study's own, else in ``runs`` (smoke,
    replaced fields)."""
    top = files.root() / "results" if profile.is_study else files.runs()
    return top / FOLDERS[kind] / profile.name


def state(job: Job[Record]) -> State:
    """Whether a job's record is "fresh", "stale" (of another spec or other code) or "missing"."""
    if not job.path.exists():
        return "missing"
    return "fresh" if _fresh(job) else "stale"


def get(job: Job[R]) -> R:
    """A job's record: read if it is fresh, else made and written.

    Raises: what the source, the training or the measurement raises; nothing is written then, and a
    checkpoint lets the next call go on.
    """
    if job.path.exists() and (record := _fresh(job)):
        return record
    files.check_target(job.path)
    prepare(job.profile.threads)
    made = job.make()
    records.write(job.path, made)
    job.settle(made)
    return records.read(job.path, job.kind)


def replay(job: Job[Record], whole: bool = False) -> Comparison:
    """Compare a job's record with what the code at hand gives: a start of it, or all of it.

    On the record's kind of machine the numbers must be equal to the bit, elsewhere see
    :mod:`.comparison`. Agreement that chance has no part in confirms the record.
    """
    record = records.read(job.path, job.kind)
    spec = _spec_of(record, job)
    if spec is None:
        return Comparison(False, "for the same spec", CHANGED, strict=True)
    prepare(job.profile.threads)
    comparison = job.again(record, whole)
    if comparison.agrees and comparison.strict:
        confirm(record.id, code_of(spec))
    return comparison


def is_same_machine(record: Record, device: str) -> bool:
    """Whether a record was made on a machine whose bits must be this one's."""
    return machine.same(record.provenance.to_json(), device)


def _spec_of(record: Record, job: Job[Record]) -> Spec | None:
    """The one of a job's specs that a record was made for."""
    return next((spec for spec in job.specs() if spec.id == record.id), None)


def _fresh(job: Job[R]) -> R | None:
    """A job's record, if it is of one of the job's specs, and of the code at hand or confirmed."""
    record = records.read(job.path, job.kind)
    spec = _spec_of(record, job)
    return record if spec and code_of(spec) in codes_of(record) else None


def codes_of(record: Record) -> list[str]:
    """Code hashes under which a record is fresh: its own, and those that a replay confirmed."""
    return [record.provenance.code, *confirmed().get(record.id, [])]


def _confirmations() -> Path:
    return files.root() / "results" / "confirmed.json"


def confirmed() -> dict[str, list[str]]:
    """Record id → code hashes under which a replay gave the recorded numbers.

    Raises: DataError for a damaged file.
    """
    path = _confirmations()
    codes = files.read_json(path, DataError, "restore it from git") if path.exists() else {}
    lists = all(isinstance(each, list) for each in codes.values())
    if not (lists and all(isinstance(code, str) for each in codes.values() for code in each)):
        wrong = "must map ids of records to lists of code hashes"
        raise DataError(f"{path}: {wrong}; restore it from git")
    return codes


def confirm(identity: str, code: str) -> None:
    """Note that a replay under ``code`` gave the numbers of the record of this id."""
    path = _confirmations()
    with files.locked(path):
        codes = confirmed()
        codes[identity] = sorted({*codes.get(identity, []), code})
        files.write_json(path, codes)


def committed(kind: type[R], profile: str, measurement: str = "") -> list[R]:
    """All committed records of a kind, or of one further measurement, in a profile, by name."""
    where = files.root() / "results" / FOLDERS[kind] / profile / measurement
    return [records.read(path, kind) for path in sorted(where.glob("*.json"))]


def device_pairs(profile: str = "cpu") -> list[tuple[Run, Run]]:
    """Records with another of the same row and seed, made on the other kind of device: the same run
    but for rounding.

    Raises: DataError as :func:`records.read`, and for a twin that is no other run than its record.
    """
    results, pairs = files.root() / "results", []
    for path in sorted((results / "twins" / profile).glob("*.json")):
        record = records.read(results / "records" / profile / path.name, Run)
        twin = records.read(path, Run)
        if twin.id == record.id:
            wrong = "is the record itself, not a run on another kind of device"
            raise DataError(f"{path}: {wrong}; delete it")
        pairs.append((record, twin))
    return pairs


Stamp = tuple[tuple[str, int, int], ...]


def stamp(profile: str | None = None) -> Stamp:
    """What changes whenever a committed file is added, replaced or taken away: the folders of
    results, or those of a profile's runs alone, with their times and numbers of files (a time's
    steps are some milliseconds wide)."""
    results = files.root() / "results"
    if profile is None:
        tops = sorted(Path(where) for where, _, _ in os.walk(results))
    else:  # no walk: every number with an interval asks for it
        tops = [results / kind / profile for kind in ("records", "twins")]
    return tuple(
        (str(top), top.stat().st_mtime_ns, len(list(os.scandir(top))))
        for top in tops
        if top.is_dir()
    )
