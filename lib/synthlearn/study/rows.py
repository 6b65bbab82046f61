"""Rows: what the study trains and measures, read from ``workflow/study.toml``."""

import dataclasses
import difflib
from functools import cache
from pathlib import Path
from typing import Any

from ..core import files
from ..core.errors import ParameterError
from ..core.image import MEAN, STD
from ..data import Source, datasets, source
from ..learn import encoders, methods
from .profiles import NAMES, Profile, check, defaults

KINDS = ("generator", "text2image", "real", "random", "raw_pixels", "mean_colours")
MEASUREMENT = {"resize": "70/64", "probe": "lbfgs-l2-held-out-20%", "knn": 20}
TRAINED = ("generator", "text2image", "real")
CLASSES = ("own", "pictures")
TABLES = (
    "settings",
    "options",
    "method_options",
    "overrides",
)  # of a row; other tables inside it are its variants


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: name, kind of source, title and family for the book, the chapter that tells it, its name in the paper's table, and what differs:

    origin: name of the generator, folder or set where it is not the row's (the profile's data). own_options: of the generator, in every profile.
    method_options: of the method.
    classes: "own", those of the source, or "pictures": each picture is one, for methods that need classes.
    needs: the row whose trained encoder the source looks into. profiles: those that have it.
    overrides: profile fields of a variant.
    settings: by profile, options of the generator and profile fields that this source takes there; a field that the caller has changed stays.
    """

    name: str
    kind: str
    title: str
    family: str
    chapter: str
    published: str | None = None
    origin: str | None = None
    classes: str = "own"
    needs: str | None = None
    profiles: tuple[str, ...] = NAMES
    own_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    method_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    overrides: tuple[tuple[str, Any], ...] = ()
    settings: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def trained(self) -> bool:
        """Whether an encoder is pre-trained for it."""
        return self.kind in TRAINED

    def profile(self, profile: Profile) -> Profile:
        """The profile with this row's own fields."""
        usual = defaults(profile.name)
        own = {
            k: v
            for k, v in self.settings.get(profile.name, {}).items()
            if k != "options" and getattr(profile, k) == getattr(usual, k)
        }
        return dataclasses.replace(profile, **{**own, **dict(self.overrides)})

    def options(self, profile: Profile) -> dict[str, Any]:
        """Options of the generator in this profile, besides the encoder that it needs."""
        return {**self.own_options, **self.settings.get(profile.name, {}).get("options", {})}

    def needed(self, profile: Profile, seed: int) -> str | None:
        """Record id of the encoder that the source needs."""
        return files.digest(spec(row(self.needs), profile, seed)) if self.needs else None

    def source(self, profile: Profile, seed: int) -> Source:
        """The source of images of a trained row; what it needs is looked for under ``runs/encoders``."""
        needed = self.needed(profile, seed)
        return self._source(profile, {"encoder": str(encoder_file(needed))} if needed else {})

    def source_spec(self, profile: Profile, seed: int) -> dict[str, Any]:
        """What decides the source's pictures; an encoder by its record, whether it is here or not."""
        needed = self.needed(profile, seed)
        return self._source(profile, {"encoder": needed} if needed else {}).spec()

    def _source(self, profile: Profile, more: dict[str, Any]) -> Source:
        p = self.profile(profile)  # a row's own data and images per class are its source's too
        usual = self.name.split(".")[0] if self.kind == "generator" else p.data
        options = {**self.options(profile), **more}
        if (
            self.kind == "text2image"
        ):  # made of the probe's own training images, where the row does not say otherwise
            options = {"data": p.data, "per_class": p.per_class, **options}
        if self.kind == "real":
            return source("real", data=self.origin or usual)
        if self.kind == "folder":
            return source("folder", path=self.origin or usual)
        return source(self.origin or usual, **options)


def encoder_file(identity: str) -> Path:
    """Where the trained encoder of a record is kept, for chapters and sources that look into it and for replays."""
    return files.runs() / "encoders" / f"{identity[:24]}.safetensors"


@cache
def rows() -> dict[str, Row]:
    """All rows by name, in the file's order; a table inside a row is a variant, named ``row.variant``."""
    table = files.read_workflow("study.toml")
    found: dict[str, Row] = {}
    for name, entry in table.items():
        variants = {
            key: value
            for key, value in entry.items()
            if isinstance(value, dict) and key not in TABLES
        }
        found[name] = _row(
            name, {key: value for key, value in entry.items() if key not in variants}
        )
        for variant, fields in variants.items():
            title = f"{found[name].title}, {fields.pop('title', variant)}"
            kept = {
                key: value
                for key, value in entry.items()
                if key not in variants and key not in ("published", "settings")
            }
            settings = entry.get("settings", {}) | fields.pop("settings", {})
            found[f"{name}.{variant}"] = _row(
                f"{name}.{variant}", {**kept, **fields, "settings": settings, "title": title}
            )
    return found


def _row(name: str, entry: dict[str, Any]) -> Row:
    """A row from its entry in the file. Raises ParameterError for a kind or profile field that does not exist."""
    if entry.get("kind") not in KINDS:
        raise ParameterError(
            f"workflow/study.toml: row {name!r} has kind {entry.get('kind')!r}, allowed are {', '.join(KINDS)}"
        )
    for fields in entry.get("settings", {}).values():
        for key, value in fields.items():
            if key != "options":
                check(key, value)
    if entry.get("classes", "own") not in CLASSES:
        raise ParameterError(
            f"workflow/study.toml: row {name!r} has classes = {entry['classes']!r}, allowed are {', '.join(CLASSES)}"
        )
    own = {key: value for key, value in entry.items() if key not in ("options", "overrides")}
    overrides = tuple((key, check(key, value)) for key, value in entry.get("overrides", {}).items())
    for profile in own.setdefault("profiles", NAMES):
        defaults(profile)
    return Row(
        name=name,
        own_options=entry.get("options", {}),
        overrides=overrides,
        **{**own, "profiles": tuple(own["profiles"])},
    )


def wanted(profile: Profile) -> list[Row]:
    """The rows that a profile has."""
    return [row for row in rows().values() if profile.name in row.profiles]


def row(name: str) -> Row:
    """A row by name. Raises ParameterError with the nearest name."""
    if name not in rows():
        near = difflib.get_close_matches(name, rows(), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ParameterError(f"unknown row {name!r}: {hint}Rows: {', '.join(rows())}")
    return rows()[name]


def spec(row: Row, profile: Profile, seed: int) -> dict[str, Any]:
    """All that decides the result of a row and seed, JSON-able; its digest is the record's id."""
    p = row.profile(profile)
    train, test = (datasets.load(p.data, split, p.crop) for split in datasets.SPLITS)
    described: dict[str, Any] = {
        "kind": row.kind,
        "data": {
            "name": p.data,
            "per_class": p.per_class,
            "train_sha256": train.sha256,
            "test_sha256": test.sha256,
        },
        "measurement": {**MEASUREMENT, "size": p.crop},
        "seed": seed,
    }
    if row.kind == "random" or row.trained:
        described["encoder"] = encoders.describe(p.encoder, p.width, p.crop)
    if row.trained:
        described["source"] = {
            **row.source_spec(profile, seed),
            "n_images": p.n_images,
            "image_size": p.image_size,
        }
        if p.refresh:
            described["source"]["refresh"] = p.refresh
        described["method"] = methods.spec(p.method, row.method_options)
        if row.classes != "own":
            described["method"]["classes"] = row.classes
        described["augmentation"] = p.augmenter().spec()
        described["optimisation"] = p.optimisation().spec()
        described["normalisation"] = MEAN + STD
        described["numerics"] = {"device": p.device.split(":")[0], "threads": p.threads}
    return _as_before(described)


# Options that came later than most records, with what was meant before.
LATER: dict[tuple[str, str], Any] = {
    ("optimisation", "optimiser"): "sgd",
    ("optimisation", "last_batch"): "kept",
    ("augmentation", "downsample_p"): 0.0,
    ("method", "uniform_weight"): 1.0,
}


def _as_before(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec without the values of :data:`LATER`, so that older records keep their ids."""

    def later(table: str, field: str, value: Any) -> bool:
        return (table, field) in LATER and LATER[table, field] == value

    return {
        table: {k: v for k, v in content.items() if not later(table, k, v)}
        if isinstance(content, dict)
        else content
        for table, content in spec.items()
    }
