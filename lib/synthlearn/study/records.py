"""Records: what a job of the study leaves, typed and frozen here, JSON on disk.

A record is written once, atomically, with a digest over all of it that is checked whenever it is
read. JSON's own types stay inside this file: whoever asks a record gets fields.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..core import files
from ..core.errors import DataError
from ..measure.base import MEASUREMENTS, Accuracy, Part, Value

SCHEMA = 1
REMEDY = "restore it from git, or delete it and run the row again"
PRIMARY = "fc6_linear"  # the papers' main probe
# probe → a record's main result is the first of these that it has: fc6 of the small encoder,
# pooled features of others, the features themselves for baselines without an encoder
MAIN_PROBES = (PRIMARY, "pooled_linear", "linear")
MAIN = "main"  # stands for the first of them
Json = Mapping[str, Any]
R = TypeVar("R", bound="Record")
P = TypeVar("P", bound=Part)


def pack(flags: np.ndarray) -> str:
    """Booleans (n,) as base64 of their bits."""
    return base64.b64encode(np.packbits(np.asarray(flags, bool)).tobytes()).decode()


def unpack(text: str, n: int) -> np.ndarray:
    """The first ``n`` booleans of :func:`pack`."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))[:n].astype(bool)


@dataclass(frozen=True)
class SourceSpec:
    """Where the images of a training come from: how many, how large, and what decides them."""

    content: Json

    @property
    def n_images(self) -> int:
        """Pictures of an epoch."""
        return int(self.content["n_images"])

    @property
    def image_size(self) -> int:
        """Their side in pixels."""
        return int(self.content["image_size"])

    @property
    def generator(self) -> str:
        """Name of the generator, "" for another kind of source."""
        return str(self.content.get("generator", ""))

    @property
    def text2image(self) -> str:
        """Name of the source of captioned images, "" for another kind of source."""
        return str(self.content.get("text2image", ""))

    @property
    def parts(self) -> "tuple[SourceSpec, ...]":
        """What a mixture is made of."""
        return tuple(SourceSpec(part) for part in self.content.get("parts", ()))

    @property
    def encoder(self) -> str:
        """Record of the encoder that the source looks into, "" for none."""
        return str(self.content.get("options", {}).get("encoder", ""))


@dataclass(frozen=True)
class Spec:
    """All that decides a job's result. Its digest is the record's id."""

    content: Json

    @cached_property
    def id(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return files.digest(self.content)

    @property
    def seed(self) -> int:
        """The seed; 0 for measurements that are older than seeds."""
        return int(self.content.get("seed", 0))

    @property
    def kind(self) -> str:
        """Kind of a row: its source's, or the baseline that it is; "" for a measurement."""
        return str(self.content.get("kind", ""))

    @property
    def measurement(self) -> str:
        """Name of the further measurement, "" for a run."""
        return str(self.content.get("what", ""))

    @property
    def test_images(self) -> str:
        """SHA-256 of the probe's test images."""
        return str(self.content["data"]["test_sha256"])

    @property
    def data(self) -> str:
        """Name of the probe's set."""
        return str(self.content["data"]["name"])

    @property
    def source(self) -> SourceSpec | None:
        """Of a run that trained, or a measurement of images."""
        return SourceSpec(self.content["source"]) if "source" in self.content else None

    @property
    def method(self) -> str:
        """Name of the method, "" for what is not trained."""
        return str(self.content["method"]["name"]) if "method" in self.content else ""

    @property
    def images_per_caption(self) -> int:
        """Of a batch; 0 for methods that draw images whatever their caption."""
        return int(self.content.get("method", {}).get("images_per_caption", 0))

    @property
    def epochs(self) -> int:
        """Of the training."""
        return int(self.content["optimisation"]["epochs"])

    @property
    def batch_size(self) -> int:
        """Of the training."""
        return int(self.content["optimisation"]["batch_size"])

    @property
    def keeps_last_batch(self) -> bool:
        """Whether an epoch's last, smaller batch is trained on."""
        return bool(self.content["optimisation"].get("last_batch", "kept") == "kept")

    @property
    def device(self) -> str:
        """Kind of device that the training asked for: "cpu" or "cuda"."""
        return str(self.content.get("numerics", {}).get("device", "cpu"))

    @property
    def tap(self) -> str:
        """Layer in whose features a measurement compares images."""
        return str(self.content["tap"])

    @property
    def reference(self) -> str:
        """Record of the encoder in whose features a measurement compares images, "" for none."""
        return str(self.content.get("reference", ""))

    @property
    def optimiser(self) -> str:
        """Name of the optimiser."""
        return str(self.content["optimisation"].get("optimiser", "sgd"))

    @property
    def text(self) -> str:
        """The content as sorted JSON, to search or to show."""
        return json.dumps(self.content, sort_keys=True)


@dataclass(frozen=True)
class Result:
    """A probe's result: top-1 with Wilson's 95 % interval over ``n`` test images; which of them
    were right (``correct``, packed); strength of the penalty that was chosen, and what to know of
    it, where there is something.
    """

    top1: float
    low: float
    high: float
    n: int
    correct: str = ""
    l2: float | None = None
    note: str | None = None

    @property
    def outcomes(self) -> np.ndarray:
        """Which test images were right: bool (n,)."""
        return unpack(self.correct, self.n)

    def to_json(self) -> dict[str, Any]:
        """As records hold it."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Cost:
    """What a job took: seconds by the clock and of the processor, of making images, training and
    probing; images made, views that the network saw, peak memory in MB, how often it went on from
    a checkpoint, how often it failed before. None: not of this kind of job."""

    wall_seconds: float
    cpu_seconds: float | None = None
    pool_seconds: float | None = None
    train_seconds: float | None = None
    probe_seconds: float | None = None
    images: int | None = None
    views: int | None = None
    peak_mb: int | None = None
    resumed: int | None = None
    failed_tries: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As records hold it: without what is None."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Provenance:
    """Where and by what a record was made. ``machine``: its fingerprint, see
    :func:`synthlearn.core.machine.fingerprint`; older records have none."""

    commit: str
    code: str
    device: str
    threads: int
    python: str
    torch: str
    date: str
    machine: Json | None = None

    @property
    def on_card(self) -> bool:
        """Whether it was made on a card: by a build of torch for one."""
        return "+cu" in self.torch or "cuda" in self.torch

    def to_json(self) -> dict[str, Any]:
        """As records hold it."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Record:
    """What all records share: the row and profile, the spec, what it cost and where it was made."""

    row: str
    profile: str
    spec: Spec
    cost: Cost
    provenance: Provenance

    @property
    def id(self) -> str:
        """Digest of the spec."""
        return self.spec.id

    @property
    def seed(self) -> int:
        """Of the spec."""
        return self.spec.seed

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return f"{self.row}-s{self.seed}"

    def to_json(self) -> dict[str, Any]:
        """As a file holds it, but for schema and digest."""
        return {
            "id": self.id,
            "row": self.row,
            "profile": self.profile,
            "spec": self.spec.content,
            "results": self._results(),
            "cost": self.cost.to_json(),
            "provenance": self.provenance.to_json(),
        }

    def _results(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(frozen=True)
class Run(Record):
    """A pre-training and its probes, or a baseline's probes.

    results: by probe. curves: the loss and its terms at ``step``. filters: of the first layer,
    float16 (channels, 3, k, k), None where there is no encoder.
    """

    results: Mapping[str, Result]
    curves: Mapping[str, list[float]] = field(default_factory=dict)
    filters: np.ndarray | None = None

    @property
    def main(self) -> Result:
        """The main probe's result."""
        return next(self.results[name] for name in MAIN_PROBES if name in self.results)

    def result(self, probe: str = MAIN) -> Result:
        """A probe's result, by its name or :data:`MAIN`."""
        return self.main if probe == MAIN else self.results[probe]

    @property
    def updates(self) -> int:
        """Updates that its training made: where its curve ends, 0 without one."""
        return int(self.curves["step"][-1]) if self.curves else 0

    def to_json(self) -> dict[str, Any]:
        """As a file holds it."""
        content = {**super().to_json(), "curves": dict(self.curves)}
        if self.filters is not None:
            packed = base64.b64encode(self.filters.astype(np.float16).tobytes()).decode()
            content["filters"] = {"shape": list(self.filters.shape), "float16": packed}
        return content

    def _results(self) -> dict[str, Any]:
        return {name: result.to_json() for name, result in self.results.items()}


@dataclass(frozen=True)
class MeasurementRecord(Record):
    """A further measurement of a row's encoder or images: its parts by name."""

    results: Mapping[str, Part]

    @property
    def measurement(self) -> str:
        """Name of the measurement."""
        return self.spec.measurement

    def value(self, part: str) -> Value:
        """A part that is a value of images. Raises TypeError for one of another kind."""
        return self._of(Value, part)

    def accuracy(self, part: str) -> Accuracy:
        """A part that is an accuracy. Raises TypeError for one of another kind."""
        return self._of(Accuracy, part)

    def _of(self, kind: type[P], part: str) -> P:
        result = self.results[part]
        if not isinstance(result, kind):
            raise TypeError(f"{part} of {self.measurement}: is no {kind.__name__}")
        return result

    def _results(self) -> dict[str, Any]:
        return {name: part.to_json() for name, part in self.results.items()}


@dataclass(frozen=True)
class Trial(Record):
    """A trial of a search: the options tried, and what the deciding images say of them."""

    config: int
    options: Json
    held_out: Result

    def to_json(self) -> dict[str, Any]:
        """As a file holds it."""
        return {**super().to_json(), "point": self.config, "options": dict(self.options)}

    def _results(self) -> dict[str, Any]:
        return {"held_out": self.held_out.to_json()}


def write(path: Path, record: Record) -> None:
    """Write a record with the schema's number and a digest over all of it."""
    files.write_with_digest(path, {"schema": SCHEMA, **record.to_json()})


def read(path: Path, kind: type[R]) -> R:
    """A record, as it was written: of the kind :class:`Run`, :class:`MeasurementRecord` or
    :class:`Trial`.

    Raises: DataError if the file is not one, not the whole of one, of another kind, or one of
    another row, seed, profile or measurement.
    """
    content = files.read_with_digest(path, REMEDY)
    if content.get("schema") != SCHEMA or files.digest(content.get("spec")) != content.get("id"):
        wrong = f"its id is not the digest of its spec, or its schema is not {SCHEMA}"
        raise DataError(f"{path}: {wrong}; {REMEDY}")
    if place := _misplaced(content, path):
        raise DataError(f"{path}: holds the record of {place}; move it there, and {REMEDY}")
    try:
        record = _typed(content)
    except (KeyError, TypeError, ValueError) as error:
        wrong = f"lacks what a record has, or has more ({type(error).__name__}: {error})"
        raise DataError(f"{path}: {wrong}; {REMEDY}") from error
    if not isinstance(record, kind):
        raise DataError(f"{path}: holds a {type(record).__name__}, not a {kind.__name__}")
    return record


def _misplaced(content: Json, path: Path) -> str:
    """Where a record belongs, PROFILE/ROW-sSEED or PROFILE/MEASUREMENT/ROW-sSEED, if not at its
    path.
    """
    spec = content["spec"] if isinstance(content["spec"], dict) else {}
    measurement = [str(spec["what"])] if "what" in spec else []
    folders = [str(content.get("profile")), *measurement]
    row, seed = str(content.get("row")), f"-s{spec.get('seed', 0)}"
    middle = path.stem.removeprefix(row).removesuffix(seed)
    fits = (
        path.stem.startswith(row)
        and path.stem.endswith(seed)
        and re.fullmatch(r"(-n\d+-e\d+)?", middle)  # trials of a search have their size there
        and list(path.parent.parts[-len(folders) :]) == folders
    )
    return "" if fits else "/".join([*folders, row + seed])


def _typed(content: Json) -> Record:
    """A record from its JSON, by what it holds."""
    spec = Spec(content["spec"])
    common = (content["row"], content["profile"], spec)
    made = (Cost(**content["cost"]), Provenance(**content["provenance"]))
    results = content["results"]
    if spec.measurement:
        measure = MEASUREMENTS[spec.measurement]
        parts = {name: measure.part(name, part) for name, part in results.items()}
        return MeasurementRecord(*common, *made, parts)
    if "point" in content:
        held_out = Result(**results["held_out"])
        return Trial(*common, *made, content["point"], content["options"], held_out)
    every = {name: Result(**result) for name, result in results.items()}
    return Run(*common, *made, every, content["curves"], _filters(content.get("filters")))


def _filters(packed: Json | None) -> np.ndarray | None:
    if packed is None:
        return None
    flat = np.frombuffer(base64.b64decode(packed["float16"]), np.float16)
    return flat.reshape(packed["shape"]).astype(np.float32)
