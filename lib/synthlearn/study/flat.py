"""All committed records as one flat table: a line for every record and probe, for other tools.

The columns are named, typed and explained once, here; the files that the site offers and the list
of columns in the book are made from them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import claims, measuring, store
from .records import MeasurementRecord, Record, Run, Spec, Trial
from .rows import all_rows

Value = str | int | float | None
TOP1 = ("top1", "low", "high")


@dataclass(frozen=True)
class Line:
    """One result of one record, with the file that holds it, below ``results/``."""

    kind: str
    record: Record
    probe: str
    fields: Mapping[str, Any]  # of the result, as the record holds them
    file: str


@dataclass(frozen=True)
class Column:
    """A column: its name, the type of its values, what they are, and how a line gives its value."""

    name: str
    type: type[str] | type[int] | type[float]
    meaning: str
    of: Callable[[Line], Value]


def lines() -> Iterator[Line]:
    """Every result of every committed record: runs, twins, further measurements, trials of the
    search.

    >>> first = next(lines())
    >>> first.kind, first.record.profile
    ('run', 'cpu')
    """
    for profile in claims.profiles():
        for run in store.committed(Run, profile):
            yield from _lines("run", run, f"records/{profile}/{run.name}")
        for _, twin in store.device_pairs(profile):
            yield from _lines("twin", twin, f"twins/{profile}/{twin.name}")
        for what in measuring.plans():
            for record in store.committed(MeasurementRecord, profile, what):
                yield from _lines(
                    "measurement", record, f"measurements/{profile}/{what}/{record.name}"
                )
        for trial in store.committed(Trial, profile):
            source = trial.spec.source
            assert source is not None
            size = f"n{source.n_images}-e{trial.spec.epochs}"
            yield from _lines("trial", trial, f"search/{profile}/{trial.row}-{size}-s{trial.seed}")


def _lines(kind: str, record: Record, path: str) -> Iterator[Line]:
    for probe, fields in record.to_json()["results"].items():
        yield Line(kind, record, probe, fields, f"{path}.json")


def table() -> dict[str, list[Value]]:
    """The table: values by column, in the order of :data:`COLUMNS`.

    >>> every = table()
    >>> len(every["top1"]) == len(every["row"]) > 1000
    True
    """
    every = list(lines())
    return {column.name: [column.of(line) for line in every] for column in COLUMNS}


def _row(field: str) -> Callable[[Line], Value]:
    """A field of the row, None for a row that is no longer planned."""
    rows = all_rows()

    def of(line: Line) -> Value:
        return getattr(rows[line.record.row], field) if line.record.row in rows else None

    return of


def _trained(field: str) -> Callable[[Line], Value]:
    """A field of the spec of a record that trained an encoder, None for others."""

    def of(line: Line) -> Value:
        spec: Spec = line.record.spec
        return getattr(spec, field) if spec.method else None

    return of


def _pictures(field: str) -> Callable[[Line], Value]:
    return lambda line: getattr(line.record.spec.source, field, None)


def _result(field: str) -> Callable[[Line], Value]:
    return lambda line: line.fields.get(field)


def _cost(field: str) -> Callable[[Line], Value]:
    return lambda line: getattr(line.record.cost, field)


def _made(field: str) -> Callable[[Line], Value]:
    return lambda line: getattr(line.record.provenance, field)


def _updates(line: Line) -> Value:
    return line.record.updates if isinstance(line.record, Run) else None


def _encoder(line: Line) -> Value:
    encoder = line.record.spec.content.get("encoder")
    return str(encoder["name"]) if encoder else None


def _more(line: Line) -> Value:
    """Fields of the result that have no column of their own, and a trial's options, as JSON."""
    own = {*TOP1, "n", "value", "real", "correct"}
    rest = {name: value for name, value in line.fields.items() if name not in own}
    if isinstance(line.record, Trial):
        rest["options"] = dict(line.record.options)
    return json.dumps(rest, ensure_ascii=False, sort_keys=True) if rest else None


COLUMNS = (
    Column("kind", str, "run, twin (a run again on another kind of device), measurement "
           "(something further of a run's encoder or images) or trial (of the search)",
           lambda line: line.kind),
    Column("row", str, "name of the row", lambda line: line.record.row),
    Column("title", str, "what the book calls it", _row("title")),
    Column("family", str, "family of its images", _row("family")),
    Column("chapter", str, "where the book tells it", _row("chapter")),
    Column("seed", int, "decides all that is random", lambda line: line.record.seed),
    Column("profile", str, "settings that rows share", lambda line: line.record.profile),
    Column("data", str, "real set that the probe is trained and tested on",
           lambda line: line.record.spec.data),
    Column("measurement", str, "name of the further measurement; empty for runs and trials",
           lambda line: line.record.spec.measurement or None),
    Column("probe", str, "which result of the record: layer and classifier of a run's probe, or "
           "the part of a measurement", lambda line: line.probe),
    Column("top1", float, "share of test images that were right, from 0 to 1; empty where the "
           "result is no accuracy", _result("top1")),
    Column("low", float, "lower end of the 95 % interval of this one result", _result("low")),
    Column("high", float, "its upper end", _result("high")),
    Column("value", float, "of a property of images", _result("value")),
    Column("real", float, "the same property of as many real images", _result("real")),
    Column("n", int, "test images, or images compared, that the result is over", _result("n")),
    Column("more", str, "further fields of the result, as JSON", _more),
    Column("method", str, "that trained the encoder; empty where none was trained",
           lambda line: line.record.spec.method or None),
    Column("encoder", str, "kind of encoder", _encoder),
    Column("images", int, "of an epoch", _pictures("n_images")),
    Column("image_size", int, "their side in pixels", _pictures("image_size")),
    Column("epochs", int, "of the training", _trained("epochs")),
    Column("batch_size", int, "of the training", _trained("batch_size")),
    Column("updates", int, "of the weights", _updates),
    Column("views", int, "that the network saw", _cost("views")),
    Column("wall_seconds", float, "that the record took, by the clock", _cost("wall_seconds")),
    Column("cpu_seconds", float, "the same, of the processor", _cost("cpu_seconds")),
    Column("train_seconds", float, "of these, for the training", _cost("train_seconds")),
    Column("peak_mb", int, "largest memory in MB", _cost("peak_mb")),
    Column("device", str, "that it was made on", _made("device")),
    Column("threads", int, "of the processor", _made("threads")),
    Column("python", str, "version", _made("python")),
    Column("torch", str, "version", _made("torch")),
    Column("date", str, "when it was made, in UTC", _made("date")),
    Column("commit", str, "of the project that made it; + where files had changed since",
           _made("commit")),
    Column("code", str, "SHA-256 of the code that decides the result", _made("code")),
    Column("id", str, "SHA-256 of all settings that decide the result",
           lambda line: line.record.id),
    Column("file", str, "the record itself, below results/", lambda line: line.file),
)  # fmt: skip
