"""Rules and the evidence that they find in the records, in words and in p-values.

Every piece has two p-values, both on the two-sided scale: ``pro``, that what the claim says would
look so by chance, and ``con``, that the opposite would. 1: it says nothing in that direction."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from ...core import stats
from ...core.errors import ExtensionError, ParameterError
from ...core.options import shown
from ...core.registry import Registry
from ..measuring import Measured
from ..records import MAIN
from ..rows import all_rows
from ..runs import Runs

# of an argument, as annotated: what it may be in the file, and in words
TYPES: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    float: (int | float, "a number"),
    tuple[str, ...]: (list | tuple, 'a list of texts, as in ["a", "b"]'),
}
NO_RECORD = "no record"
PROPERTIES = {"frechet": "Fréchet distance", "log_volume": "log volume"}


@dataclass(frozen=True)
class Known:
    """All runs by row, and all further measurements by kind and row."""

    runs: Mapping[str, Runs] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)

    def of(self, measurement: str) -> Measured:
        """Records of a measurement by row, empty where there are none."""
        return self.measured.get(measurement, {})

    def lacks(self, measurement: str, rows: Sequence[str]) -> str:
        """What keeps rows' measurements from being compared: one has no record, or their images
        were not all seen by the same encoder; "" where nothing does."""
        measured = self.of(measurement)
        if not all(measured.get(row) for row in rows):
            return NO_RECORD
        eyes = {measured[row][0].spec.reference for row in rows}
        return "seen by different encoders; measure all with one" if len(eyes) > 1 else ""


@dataclass(frozen=True)
class Evidence:
    """What a rule found: in words with numbers, its two p-values, and the rows that it stands on.

    tested: whether all that it needs is recorded. control: whether the claim means nothing unless
    this is supported. runs: of the row or measurement that has fewest.
    estimate: of the difference itself, where it is one in accuracy.
    away: how far from the rule's bound, positive where the claim says so; one_run, images: its
    variance that one more run of each row would share, and that runs do not take away: for
    :meth:`needs`.
    """

    text: str
    pro: float = 1.0
    con: float = 1.0
    rows: tuple[str, ...] = ()
    tested: bool = True
    control: bool = False
    runs: int = 0
    away: float = 0.0
    one_run: float = 0.0
    images: float = 0.0
    estimate: stats.Estimate | None = None

    @property
    def verdict(self) -> str:
        """By itself, at 5 %."""
        if not self.tested:
            return "not tested"
        if self.pro <= stats.LEVEL:
            return "supported"
        return "contradicted" if self.con <= stats.LEVEL else "undecided"

    def needs(self, level: float) -> int | None:
        """Runs of each row that would decide it at a level, if it is as it looks; None: more than a
        thousand, or runs do not decide it."""
        if not self.one_run:
            return None
        return stats.runs_needed(self.away, self.one_run, self.images, level)


class Rule:
    """What a claim asks. Subclasses are frozen dataclasses: fields are arguments of the rule."""

    def evidence(self, known: Known) -> list[Evidence]:
        """What the records say; evidence that is not tested where something is not recorded."""
        raise NotImplementedError


RULES: Registry[type[Rule]] = Registry("rule", "synthlearn.study.rules")
R = TypeVar("R", bound=type[Rule])


def rule(name: str) -> Callable[[R], R]:
    """Register a rule under the name that ``book/claims.toml`` calls it by."""

    def add(kind: R) -> R:
        RULES.register(name)(kind)
        return kind

    return add


def build(name: str, arguments: Any) -> Rule:
    """A rule from its arguments: a table of its fields, or the value of its only one.

    Raises: ParameterError for a field that it has not, or that is missing.
    """
    kind: Any = RULES[name]
    if "__dataclass_fields__" not in vars(kind):
        remedy = "put @dataclass(frozen=True) above its class"
        raise ExtensionError(f"rule {name!r}: {kind.__name__} is no dataclass; {remedy}")
    fields = [f.name for f in dataclasses.fields(kind)]
    given = arguments if isinstance(arguments, dict) else {fields[0]: arguments}
    if unknown := [key for key in given if key not in fields]:
        raise ParameterError(f"rule {name!r}: has no {unknown[0]!r}; it has {', '.join(fields)}")
    for key, annotated in get_type_hints(kind).items():
        types, words = TYPES.get(annotated, (object, ""))
        if key in given and not isinstance(given[key], types):
            wrong = f"{key} = {shown(given[key])}: must be {words}"
            raise ParameterError(f"rule {name!r}: {wrong}")
    try:
        built: Rule = kind(**{key: _frozen(value) for key, value in given.items()})
    except TypeError as error:
        raise ParameterError(f"rule {name!r}: {error}; it has {', '.join(fields)}") from error
    return built


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def missing(
    text: str, rows: Sequence[str] = (), control: bool = False, why: str = NO_RECORD
) -> list[Evidence]:
    """Evidence that cannot be had yet."""
    return [Evidence(f"{text}: {why}", rows=tuple(rows), tested=False, control=control)]


def points(e: stats.Estimate) -> str:
    """A difference with its interval, in percentage points."""
    return f"{100 * e.mean:+z.1f} [{100 * e.low:+z.1f}, {100 * e.high:+z.1f}]"


def title(name: str) -> str:
    """A row's title, as the book calls it; a name that is no row's as it is."""
    rows = all_rows()
    return rows[name].title if name in rows else name


def titles(names: Sequence[str]) -> str:
    """Titles of several rows."""
    return " and ".join(title(name) for name in names)


def property_words(name: str) -> str:
    """A property of images, as a sentence calls it."""
    return PROPERTIES.get(name, name.replace("_", " "))


Parts = Sequence[tuple[float, Runs]]


def of_contrast(
    text: str,
    parts: Parts,
    rows: Sequence[str],
    probe: str = MAIN,
    bound: float = 0.0,
    halves: Parts = (),
    control: bool = False,
) -> Evidence:
    """Evidence that a weighted sum of rows lies above a bound; ``halves``: further parts, of a row
    that was chosen as the best of many."""
    each = [runs.part(weight, probe) for weight, runs in parts]
    each += [runs.part(weight, probe, chosen=True) for weight, runs in halves]
    e = stats.contrast(each)
    counts = Counter[str]()
    for _, runs in (*parts, *halves):
        counts[runs.first.row] += len(runs)
    split = [1] * len(parts) + [2] * len(halves)  # a half has half of its row's runs
    one_run = sum(
        k * w * w * spread.variance for k, (w, _, spread) in zip(split, each, strict=True)
    )
    # of runs that may lie apart by anything, a difference over images decides nothing
    known = e.over != "images"
    words = f"{text}: {points(e)}" if known else f"{text}: {points(e)} over images alone"
    return Evidence(
        words,
        e.above(bound),
        e.below(bound),
        tuple(rows),
        known,
        control,
        min(counts.values()),
        e.mean - bound,
        one_run,
        e.fixed,
        e,
    )


def of_units(
    text: str,
    e: stats.Estimate,
    rows: Sequence[str],
    bound: float = 0.0,
    control: bool = False,
) -> Evidence:
    """Evidence that a number of which each encoder gives one lies above a bound."""
    return Evidence(
        f"{text}: {points(e)}",
        e.above(bound),
        e.below(bound),
        tuple(rows),
        "encoders" in e.over or e.over == "runs",
        control,
        e.runs,
        e.mean - bound,
        (e.error**2 - e.fixed) * e.runs,
        e.fixed,
        e,
    )
