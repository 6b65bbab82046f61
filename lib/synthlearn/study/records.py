"""Records: one JSON file per row and seed, written once, atomically; and whether they belong to the code at hand."""

import ast
import base64
import importlib
import json
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..core import files
from ..core.errors import DataError
from ..data.sources import source_class
from ..generators import generator_class
from .profiles import Profile, is_study

SCHEMA = 1
# These move bytes and messages, not numbers: a record does not depend on them.
NEUTRAL = {"core.errors", "core.files", "core.progress", "core.vision"}
FORMERLY = {  # specs of measurements name modules as they were called before there were wings
    "transfer": "measure.transfer",
    "tasks": "measure.tasks",
    "properties": "measure.properties",
    "probe": "measure.probe",
    "stream": "data.stream",
    "fidelity": "measure.fidelity",
    "text2image": "text2image",
    "long_tail": "measure.long_tail",
    "memory": "measure.memory",
    "private": "measure.private",
}
ROOTS = (
    "learn.train",
    "measure.probe",
    "data.stream",
    "learn.methods",
    "core.augment",
    "data.datasets",
)


def folder(profile: Profile, kind: str = "records") -> Path:
    """Where records (or "measurements") of a profile live: in ``results`` for the study's own, else in ``runs`` (smoke, overridden fields)."""
    return (files.root() / "results" if is_study(profile) else files.runs()) / kind / profile.name


def pack(flags: np.ndarray) -> str:
    """Booleans (n,) as base64 of their bits."""
    return base64.b64encode(np.packbits(np.asarray(flags, bool)).tobytes()).decode()


def unpack(text: str, n: int) -> np.ndarray:
    """The first ``n`` booleans of :func:`pack`."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))[:n].astype(bool)


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a record with the schema's number and a digest over all of it."""
    whole = json.loads(json.dumps({"schema": SCHEMA, **record}))  # as it will be read
    files.write_json(path, {**whole, "digest": files.digest(whole)})


def read(path: Path) -> dict[str, Any]:
    """A record, as it was written. Raises DataError if the file is not one, not the whole of one, or one of another row, seed, profile or measurement."""
    remedy = "restore it from git, or delete it and run the row again"
    record = files.read_json(path, DataError, remedy)
    if record.get("schema") != SCHEMA or files.digest(record.get("spec")) != record.get("id"):
        raise DataError(
            f"{path}: its id is not the digest of its spec, or its schema is not {SCHEMA}; {remedy}"
        )
    if record.pop("digest", None) != files.digest(record):
        raise DataError(
            f"{path}: damaged or changed by hand, its digest is not that of its content; {remedy}"
        )
    if place := _misplaced(record, path):
        raise DataError(f"{path}: holds the record of {place}; move it there, and {remedy}")
    return record


def _misplaced(record: dict[str, Any], path: Path) -> str:
    """Where a record belongs, PROFILE/ROW-sSEED or PROFILE/MEASUREMENT/ROW-sSEED, if that is not its path; else ""."""
    spec = record["spec"] if isinstance(record["spec"], dict) else {}
    folders = [str(record.get("profile")), *([str(spec["what"])] if "what" in spec else [])]
    row, seed = str(record.get("row")), f"-s{spec.get('seed', 0)}"
    tries = re.fullmatch(
        r"(-n\d+-e\d+)?", path.stem.removeprefix(row).removesuffix(seed)
    )  # of the search, in whose names their size is
    fits = (
        path.stem.startswith(row)
        and path.stem.endswith(seed)
        and tries
        and list(path.parent.parts[-len(folders) :]) == folders
    )
    return "" if fits else "/".join([*folders, row + seed])


def read_all(profile: str = "cpu", what: str | None = None) -> list[dict[str, Any]]:
    """All committed records of a profile, sorted by row and seed; or those of a further measurement."""
    where = (
        files.root() / "results" / "records" / profile
        if what is None
        else files.root() / "results" / "measurements" / profile / what
    )
    return [read(path) for path in sorted(where.glob("*.json"))]


def stamp(profile: str | None = None) -> tuple[tuple[str, int, int], ...]:
    """What changes whenever a committed file is added, replaced or taken away: the folders of results, or those of a profile's runs alone, with their
    times and numbers of files (a time's steps are some milliseconds wide)."""
    results = files.root() / "results"
    tops = (
        [results]
        if profile is None
        else [results / kind / profile for kind in ("records", "twins")]
    )
    return tuple(
        (where, Path(where).stat().st_mtime_ns, len(names))
        for top in tops
        for where, _, names in sorted(os.walk(top))
    )


def updates(record: dict[str, Any]) -> int:
    """Updates that a run's training made: where its curve ends, 0 without one."""
    return int(record["curves"]["step"][-1]) if record["curves"] else 0


def twins(profile: str = "cpu") -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Records with another of the same row and seed, made on the other kind of device: the same run but for rounding.

    Raises: DataError as :func:`read`, and for a twin that is no other run than its record.
    """
    results, found = files.root() / "results", []
    for path in sorted((results / "twins" / profile).glob("*.json")):
        record, twin = read(results / "records" / profile / path.name), read(path)
        if twin["id"] == record["id"]:
            raise DataError(
                f"{path}: is the record itself, not a run on another kind of device; delete it"
            )
        found.append((record, twin))
    return found


def _imports(tree: ast.Module, package: str) -> set[str]:
    """Names of the library's modules that a syntax tree imports."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
        target = f"{base}.{node.module}" if node.module else base
        found |= {target} | {f"{target}.{alias.name}" for alias in node.names}
    return found


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            body[0].value.value = ""
    return tree


def plain(node: Any) -> Any:
    """A syntax tree as nested lists that every Python gives alike: newer ones have fields that older ones lack, empty where they are not used."""
    if isinstance(node, list):
        return [plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        [name, plain(value)]
        for name, value in ast.iter_fields(node)
        if value is not None and value != [] and name not in ("kind", "type_comment")
    ]
    return [type(node).__name__, *fields]


def code_of(spec: dict[str, Any]) -> str:
    """:func:`code_hash` of a record's spec: of its source's module, and of those that it is made of; of the modules that a measurement names."""
    source = spec.get("source", {})
    roots = tuple(FORMERLY[name] for name in spec["modules"]) if "modules" in spec else ROOTS
    if "text2image" in source:
        roots += (
            source_class(source["text2image"]).__module__.removeprefix(
                __package__.rpartition(".")[0] + "."
            ),
        )
    generators = (
        part["generator"] for part in (source, *source.get("parts", ())) if "generator" in part
    )
    return code_hash(*generators, roots=roots)


@cache
def code_hash(*generators: str, roots: tuple[str, ...] = ROOTS) -> str:
    """SHA-256 over the syntax trees of the modules that a run imports, without docstrings and positions.

    The modules are those that ``roots`` reach by imports, and the generators' own families; not other families.
    """
    library = __package__.rpartition(".")[0]
    waiting = [f"{library}.{name}" for name in roots]
    waiting += [generator_class(name).__module__ for name in generators]
    seen: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if (
            name in seen
            or not name.startswith(library + ".")
            or name.removeprefix(library + ".") in NEUTRAL
        ):
            continue
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:  # an imported function or class, not a module
            continue
        path = Path(str(module.__file__))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += sorted(_imports(tree, package))
        seen[name] = plain(_without_docstrings(tree))
    return files.digest(seen)


def _confirmations() -> Path:
    return files.root() / "results" / "confirmed.json"


def confirmed() -> dict[str, list[str]]:
    """Record id → code hashes under which a replay gave the recorded numbers. Raises DataError for a damaged file."""
    path = _confirmations()
    if not path.exists():
        return {}
    found = files.read_json(path, DataError, "restore it from git")
    if not all(
        isinstance(codes, list) and all(isinstance(code, str) for code in codes)
        for codes in found.values()
    ):
        raise DataError(
            f"{path}: must map ids of records to lists of code hashes; restore it from git"
        )
    return found


def confirm(record: dict[str, Any], code: str) -> None:
    """Note that a replay under ``code`` gave the record's numbers."""
    with files.locked(_confirmations()):
        known = confirmed()
        known[record["id"]] = sorted({*known.get(record["id"], []), code})
        files.write_json(_confirmations(), known)


def spec_of(record: dict[str, Any], specs: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The one of several specs that the record was made for, or None."""
    return next((spec for spec in specs if files.digest(spec) == record["id"]), None)


def fresh(record: dict[str, Any], specs: Iterable[dict[str, Any]]) -> bool:
    """True if a record is of one of these specs and of the code at hand, or confirmed for it."""
    spec = spec_of(record, specs)
    if spec is None:
        return False
    code = code_of(spec)
    return code == record["provenance"]["code"] or code in confirmed().get(record["id"], [])
