"""Rows: what the study trains and measures, read from ``workflow/study.toml``."""

import dataclasses
import difflib
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

from ..core import files
from ..core.errors import ParameterError
from ..data import source_class
from . import entries
from .profiles import NAMES, Profile, Settings, check, defaults

BASELINES = ("random", "raw_pixels", "mean_colours", "reference")  # rows that we train nothing for
WITH_ENCODER = ("random", "reference")
CLASSES = ("own", "pictures")
POOLS = ("own", "shared")
ALLOWED = {"baseline": ("", *BASELINES), "classes": CLASSES, "pool": POOLS}
# tables of a row; other tables inside it are its variants
TABLES = ("settings", "options", "method_options", "overrides")
FILE = "workflow/study.toml"
# fields of an entry there: those that it needs, and those that it may have
WORDS = {"title": str, "family": str, "chapter": str}
MORE = {
    **dict.fromkeys(("published", "source", "needs", *ALLOWED), str),
    **dict.fromkeys(TABLES, dict),
    "profiles": list,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the study's table: a source of images, or a baseline, and how it departs from a
    profile.

    title, family, chapter: for the book, and where it tells the row. published: its name in the
    paper's table.
    source: of its images, where that is not the first part of its name. baseline: what it is
    instead, one of :data:`BASELINES`. options: of the source, in every profile.
    method_options: of the method.
    classes: "own", those of the source, or "pictures": each image is one, for methods that need
    classes.
    pool: of images: each seed's "own", or "shared", that of seed 0, where images cost more than
    training; runs then tell of training alone.
    needs: the row whose trained encoder the source looks into. profiles: those that have the row.
    overrides: profile fields of a variant.
    by_profile: options of the source and profile fields that it takes there; a field that the
    caller has changed stays."""

    name: str
    title: str
    family: str
    chapter: str
    published: str | None = None
    source: str = ""
    baseline: str = ""
    classes: str = "own"
    pool: str = "own"
    needs: str | None = None
    profiles: tuple[str, ...] = NAMES
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    method_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    by_profile: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def trained(self) -> bool:
        """Whether an encoder is pre-trained for it."""
        return not self.baseline

    @property
    def has_encoder(self) -> bool:
        """Whether there is an encoder, trained or not."""
        return self.trained or self.baseline in WITH_ENCODER

    @property
    def source_name(self) -> str:
        """What its source is called: a generator, "mosaic", "real" …"""
        return self.source or self.base

    @property
    def base(self) -> str:
        """Its name without the variant's."""
        return self.name.split(".")[0]

    @property
    def is_variant(self) -> bool:
        """Whether it varies another row."""
        return "." in self.name

    @cached_property
    def kind(self) -> str:
        """Kind of its source, "generator", "text2image" or "real", or the baseline that it is."""
        return self.baseline or source_class(self.source_name).kind

    def settings(self, profile: Profile) -> Settings:
        """The profile with this row's own fields."""
        usual = defaults(profile.name)
        fields = vars(profile) | {
            name: value
            for name, value in self.by_profile.get(profile.name, {}).items()
            if name != "options" and getattr(profile, name) == getattr(usual, name)
        }
        return Settings(**{**fields, **self.overrides})

    def source_options(self, settings: Settings) -> dict[str, Any]:
        """Options of the source under these settings, but for the encoder that it needs.

        Real and captioned images are of the probe's own training images, where the row does not
        say otherwise.
        """
        own = {**self.options, **self.by_profile.get(settings.name, {}).get("options", {})}
        if self.kind == "text2image":
            return {"data": settings.data, "per_class": settings.per_class, **own}
        return {"data": settings.data, **own} if self.kind == "real" else own


@cache
def all_rows() -> Mapping[str, Row]:
    """All rows by name, in the file's order; a table inside a row is a variant, ``row.variant``."""
    rows: dict[str, Row] = {}
    for name, entry in files.read_workflow("study.toml").items():
        variants = {
            key: value
            for key, value in entry.items()
            if isinstance(value, dict) and key not in TABLES
        }
        base = {key: value for key, value in entry.items() if key not in variants}
        rows[name] = _row(name, base)
        inherited = {key: base[key] for key in base if key not in ("published", "settings")}
        for variant, fields in variants.items():
            title = f"{rows[name].title}, {fields.get('title', variant)}"
            settings = entry.get("settings", {}) | fields.get("settings", {})
            whole = {**inherited, **fields, "settings": settings, "title": title}
            rows[f"{name}.{variant}"] = _row(f"{name}.{variant}", whole)
    for row in rows.values():
        if row.needs is not None and row.needs not in rows:
            raise ParameterError(f"{FILE}: row {row.name!r} needs {row.needs!r}, which is no row")
    return rows


def _row(name: str, entry: dict[str, Any]) -> Row:
    """A row from its entry in the file.

    Raises: ParameterError for a source, baseline, profile or field that does not exist.
    """
    where = f"{FILE}: row {name!r}"
    entries.check(where, entry, WORDS, MORE)
    for profile, fields in entry.get("settings", {}).items():
        if not isinstance(fields, dict):
            raise ParameterError(f"{where}: settings.{profile} = {fields!r}: must be a table")
    for key, choices in ALLOWED.items():
        if entry.get(key, choices[0]) not in choices:
            allowed = ", ".join(choices).lstrip(", ")
            raise ParameterError(f"{where} has {key} = {entry[key]!r}, allowed are {allowed}")
    try:
        return _typed(name, dict(entry))
    except ParameterError as error:
        raise ParameterError(f"{where}: {error}") from error


def _typed(name: str, entry: dict[str, Any]) -> Row:
    """A row from fields of the right types; its settings, profiles and source are checked."""
    by_profile = entry.pop("settings", {})
    for fields in by_profile.values():
        for key, value in fields.items():
            if key != "options":
                check(key, value)
    overrides = {key: check(key, value) for key, value in entry.pop("overrides", {}).items()}
    profiles = tuple(entry.pop("profiles", NAMES))
    for profile in (*profiles, *by_profile):
        defaults(profile)
    row = Row(name, **entry, overrides=overrides, by_profile=by_profile, profiles=profiles)
    if row.trained:
        source_class(row.source_name)
    return row


def rows_of(profile: Profile) -> list[Row]:
    """The rows that a profile has."""
    return [row for row in all_rows().values() if profile.name in row.profiles]


def get_row(name: str) -> Row:
    """A row by name. Raises ParameterError with the nearest name."""
    rows = all_rows()
    if name not in rows:
        near = difflib.get_close_matches(name, rows, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ParameterError(f"unknown row {name!r}: {hint}All names stand in {FILE}")
    return rows[name]
