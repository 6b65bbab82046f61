"""What a source, a method and a measurement have to keep, checked where the study uses them.

Whoever adds one meets these messages; each names what is wrong, what must be, and what to mend.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core import checked
from ..core.errors import (
    DataError,
    ExtensionError,
    ParameterError,
    SynthlearnError,
    described,
    innermost,
)
from ..core.options import shown
from ..core.source import Source
from ..data import stream
from ..data.held import number_of
from ..learn.methods import METHODS
from ..learn.train import Trained, Training
from ..measure.base import Measurement, Part
from . import assembly
from .profiles import Settings
from .rows import Row

# files of the library that call a method's and a loss's own code
METHOD, STEP = "learn/methods/base.py", "learn/step.py"


def check_source(source: Source, row: Row, settings: Settings) -> None:
    """Raise ParameterError or DataError where a source lacks what a training asks of it: classes,
    so many images, or new ones in every epoch."""
    if METHODS[settings.method].labelled and row.classes == "own" and not source.labelled:
        source.labels([0])  # says which sources have some
    n, there = settings.n_images, number_of(source)
    if there is None:
        return
    if n > there:
        what = f"holds {there} images, {n} are asked for"
        raise DataError(f"{source.name}: {what}; lower n_images, as by --set n_images={there}")
    if settings.refresh:
        what = f"{source.name} holds {there} images and no new ones"
        raise ParameterError(f"refresh = {settings.refresh:g}: {what}; leave refresh at 0")


def training(
    row: Row, settings: Settings, seed: int, source: Source, images: stream.Batches
) -> Training:
    """:func:`.assembly.training`, whose errors in the method's own code name it."""
    kind = METHODS[settings.method]
    with checked.blamed(f"method {settings.method!r}", "code", kind.__module__, METHOD):
        return assembly.training(row, settings, seed, source, images)


def train(training: Training, checkpoint: Path | None = None, identity: str = "") -> Trained:
    """Train. What its method's own code raises, and what a step or a record cannot use of it,
    becomes an ExtensionError that names the method."""
    module, owner = type(training.method).__module__, f"method {type(training.method).__name__}"
    try:
        with checked.blamed(owner, "code", module, STEP):
            trained = training.run(checkpoint, identity)
    except (SynthlearnError, OSError, MemoryError):
        raise
    except Exception as error:
        if "memory" in str(error) or not innermost(error).endswith(STEP):
            raise
        must = "must give a scalar with a gradient, and a table of parts, scalars too, all tensors"
        why = described(error, module)
        raise ExtensionError(f"{owner}: its loss() {must} ({why}); mend {module}") from error
    if len({len(values) for values in trained.curves.values()}) > 1:
        wrong = "has a part named 'loss' or 'step', as a curve is already; give it another name"
        raise ExtensionError(f"{owner}: its loss() {wrong}; mend {module}")
    return trained


def spec_fields(measurement: Measurement, subject: Any) -> dict[str, Any]:
    """A measurement's fields of the spec. Raises ExtensionError for what no record can hold."""
    owner, module = f"measurement {measurement.name!r}", type(measurement).__module__
    with checked.blamed(owner, "spec_fields()", module):
        fields: Any = measurement.spec_fields(subject)
    if not isinstance(fields, dict):
        wrong = f"gives {shown(fields)}, must give a table"
        raise ExtensionError(f"{owner}: its spec_fields() {wrong}; mend {module}")
    checked.in_json(owner, "spec_fields()", fields, module)
    return dict(fields)


def parts(measurement: Measurement, subject: Any, seed: int) -> Iterator[tuple[str, Part]]:
    """A measurement's parts, each as a record can hold it.

    Raises: ExtensionError for one that has the name of another, is no named result, or does not
    come back from a record; and for none at all.
    """
    owner, module = f"measurement {measurement.name!r}", type(measurement).__module__
    names = set[str]()
    with checked.blamed(owner, "parts()", module):
        for each in measurement.parts(subject, seed):
            if wrong := _wrong_part(measurement, each, names):
                raise ExtensionError(f"{owner}: its parts() {wrong}; mend {module}")
            names.add(each[0])
            yield each
    if not names:
        raise ExtensionError(f"{owner}: its parts() yields nothing; mend {module}")


def _wrong_part(measurement: Measurement, each: Any, names: set[str]) -> str:
    """What is wrong with what a measurement yields, "" for nothing."""
    must = "must yield (name, result), with a text and a Part, as Accuracy or Value"
    if not (isinstance(each, tuple) and len(each) == 2):
        return f"yields {shown(each)}; {must}"
    name, part = each
    if not (isinstance(name, str) and name.strip() and isinstance(part, Part)):
        return f"yields {shown(each)}; {must}"
    if name in names:
        return f"yields two parts of the name {name!r}; give each its own"
    content = part.to_json()
    try:
        back = type(measurement).part(name, json.loads(json.dumps(content, allow_nan=False)))
        finite = math.isfinite(back.number)
    except (TypeError, ValueError, KeyError) as error:
        fields = f"must be a {type(measurement).Result.__name__} (its Result) of finite numbers"
        return f"yields {name!r} = {shown(part)}; {fields}, as a record holds them ({error})"
    return "" if finite else f"yields {name!r} = {back.number}, must be a finite number"
