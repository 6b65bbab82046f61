"""Several sources on one's own labelled images: what ``compare`` runs, keeps and reads.

Each run is an :class:`.experiment.Experiment` like those of the study, whose record, encoder and
checkpoint lie in a folder of the caller's.
"""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core import checked, files, stats
from ..core.errors import ParameterError
from ..core.options import shown
from ..data import datasets, source, source_class
from . import contracts
from .experiment import Experiment
from .profiles import Profile
from .records import Run
from .rows import Row

UNTRAINED = "untrained"
MOST = 50  # sources, and runs of each
LONGEST = 60  # characters of a source in the name of a file
COUNTED = ("folder", "real")  # kinds of sources that hold so many images and no more
REMEDY = "delete the folder, or give --out another one"
FREE = ("runs", "digest")  # of a plan: may grow; its own seal


def untrained() -> Row:
    """The row of encoders that nobody trained."""
    return Row(UNTRAINED, "untrained encoder", family="baseline", chapter="", baseline="random")


def row(text: str, options: Mapping[str, Any]) -> Row:
    """A row of a source by name, as "stat-spectrum", "folder" or "real", with its options.

    >>> row("stat-spectrum", {}).name, row("folder", {"path": "my/leaves"}).title
    ('stat-spectrum', 'folder:path=my/leaves')

    Raises: ParameterError for a name that is none.
    """
    title = ":".join([text, *(f"{name}={value}" for name, value in options.items())])
    if text in (UNTRAINED, "random"):
        raise ParameterError(f"--sources {text}: untrained encoders are measured anyway; leave out")
    name = re.sub(r"[^\w-]+", "_", title)[:LONGEST]
    if options:  # two may differ in what a file's name cannot hold
        name += "-" + hashlib.sha256(title.encode()).hexdigest()[:6]
    source_class(text)  # names a source that does not exist
    return Row(name, title, family="own", chapter="", source=text, options=dict(options))


@dataclasses.dataclass(frozen=True)
class Entry(Experiment):
    """One run: an experiment that keeps its record, encoder and checkpoint below ``out``."""

    out: Path

    @property
    def path(self) -> Path:
        """The record's file."""
        return self.out / "records" / self.profile.name / f"{self._stem}.json"

    @property
    def encoder_file(self) -> Path:
        """The trained encoder's file."""
        return self.out / "encoders" / f"{self._stem}.safetensors"

    @property
    def checkpoint(self) -> Path:
        """Where its training keeps what it needs to go on."""
        return self.out / "checkpoints" / f"{self.id[:24]}.safetensors"

    @property
    def _stem(self) -> str:
        return f"{self.row.name}-s{self.seed}"


def entries(rows: Sequence[Row], profile: Profile, runs: int, out: Path) -> list[Entry]:
    """All runs in the order in which they are made: the untrained ones, then one seed of all
    sources after the other, so that an unfinished comparison is a comparison."""
    first = [Entry(untrained(), profile, seed, out) for seed in range(runs)]
    return first + [Entry(each, profile, seed, out) for seed in range(runs) for each in rows]


def plan(rows: Sequence[Row], profile: Profile, runs: int) -> dict[str, Any]:
    """What decides the results, as JSON: sources, images, settings, runs.

    Raises: DataError for images that cannot be read or are too few, ParameterError for options
    that cannot be, for two sources of the same images, and for a method that needs classes which a
    source has not.
    """
    settings = {name: value for name, value in vars(profile).items() if name != "seeds"}
    images = {
        split: datasets.digest(profile.data, split, profile.crop) for split in datasets.SPLITS
    }
    sources: dict[str, Any] = {}
    for each in rows:
        pictures = source(each.source_name, **each.source_options(each.settings(profile)))
        # now, and not after the hours that others take
        contracts.check_source(pictures, each, each.settings(profile))
        if pictures.kind in COUNTED:
            pictures.sample([profile.n_images - 1], profile.image_size)
        spec = checked.spec_of(pictures)
        if same := next((title for title, other in sources.items() if other == spec), None):
            what = f"the same images as {same}; leave one of them out"
            raise ParameterError(f"--sources {each.title}: {what}")
        sources[each.title] = spec
    return {"sources": sources, "settings": settings, "images": images, "runs": runs}


def keep_plan(out: Path, wanted: Mapping[str, Any]) -> None:
    """Write the plan into ``out``, or check that the one which is there is the same.

    Only ``runs`` may be larger than before.
    Raises: ParameterError for a folder of another comparison, or with other things in it.
    """
    path = out / "plan.json"
    if not path.exists():
        if out.is_dir() and any(p for p in out.iterdir() if not p.name.startswith(".")):
            raise ParameterError(
                f"--out {out}: holds other things already; give an empty folder, or a new name"
            )
    else:
        kept = files.read_with_digest(path, REMEDY)
        for name in (n for n in wanted if n not in FREE):
            if kept.get(name) != wanted[name]:
                changed = _changed(name, kept, wanted)
                raise ParameterError(f"--out {out}: holds another comparison: {changed}; {REMEDY}")
        if kept["runs"] > wanted["runs"]:
            raise ParameterError(
                f"--runs {wanted['runs']}: {out} has {kept['runs']} already; give as many or more"
            )
    files.write_with_digest(path, dict(wanted))


def _changed(name: str, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What differs between two plans in one of their tables, in words."""
    before, now = kept.get(name, {}), wanted[name]
    if name == "sources" and {*before} != {*now}:
        return f"its sources are {', '.join(before)}"
    field = next(each for each in sorted({*before, *now}) if before.get(each) != now.get(each))
    if name == "settings":
        return f"its {field} is {shown(before.get(field))}, not {shown(now.get(field))}"
    return f"its {'source' if name == 'sources' else 'labelled images,'} {field} gave other images"


class Share(stats.Estimate):
    """An estimate of a share: its interval ends where shares do, and covers as often.

    >>> e = Share(mean=0.95, error=0.1, df=6, runs=3, n=40)
    >>> round(e.low, 2), e.high
    (0.71, 1.0)
    """

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return max(super().low, 0.0)

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return min(super().high, 1.0)


@dataclasses.dataclass(frozen=True)
class Standing:
    """What is known of one source: its runs, its top-1, and its lead over untrained encoders, None
    for these themselves."""

    row: Row
    runs: tuple[Run, ...]
    top1: Share
    lead: stats.Estimate | None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Standings from best to worst, and the sources that cannot be told apart from the best one."""

    standings: tuple[Standing, ...]
    alike: tuple[str, ...]
    probe: str

    @property
    def best(self) -> Standing:
        """The source with the highest top-1; untrained encoders count as one."""
        return self.standings[0]


def outcome(rows: Sequence[Row], records: Mapping[str, Sequence[Run]]) -> Outcome:
    """What the records of the rows say, by name; those of the untrained row with them.

    An interval is over runs and test images. How far runs lie apart is pooled over the trained
    sources; a common seed is no pair (measured to buy nothing, see :mod:`synthlearn.core.stats`),
    the same test image is one. With one run each, the interval is over test images alone.
    """
    floor = untrained()
    every = [floor, *rows]
    probe = next(
        name
        for name, r in records[floor.name][0].results.items()
        if r is records[floor.name][0].main
    )
    right = {r.name: np.stack([run.main.outcomes for run in records[r.name]]) for r in every}
    trained = _spread([right[r.name] for r in rows])
    spreads = {r.name: trained for r in rows} | {floor.name: _spread([right[floor.name]])}

    def apart(a: str, b: str) -> stats.Estimate:
        return stats.difference(right[a], right[b], spreads[a], spreads[b])

    standings = [
        Standing(
            r,
            tuple(records[r.name]),
            Share(**vars(stats.mean(right[r.name], spreads[r.name]))),
            None if r is floor else apart(r.name, floor.name),
        )
        for r in every
    ]
    standings.sort(key=lambda s: -s.top1.mean)
    best, others = standings[0].row, [s.row for s in standings[1:]]
    apart_from_best = stats.holm([apart(best.name, other.name).p for other in others])
    alike = tuple(
        o.title for o, rejected in zip(others, apart_from_best, strict=True) if not rejected
    )
    return Outcome(tuple(standings), alike, probe)


def _spread(rows: Sequence[np.ndarray]) -> stats.Spread:
    """How far runs lie apart, from the outcomes bool (runs, images) of rows of one kind."""
    ratios = [
        stats.common(right) / varied
        for right in rows
        if len(right) > 1 and (varied := float(right.var(1).mean()))
    ]
    values = [right.mean(1).tolist() for right in rows]
    return stats.pooled(values, float(np.mean(ratios)) if ratios else 1.0)


def to_json(result: Outcome, profile: Profile, entries_: Sequence[Entry]) -> dict[str, Any]:
    """An outcome with its runs, for programs: accuracies as shares."""
    where = {(e.row.name, e.seed): e for e in entries_}

    def run(record: Run) -> dict[str, Any]:
        entry = where[record.row, record.seed]
        kept = entry.encoder_file.relative_to(entry.out) if entry.row.trained else None
        return {
            "seed": record.seed,
            "top1": record.main.top1,
            "record": str(entry.path.relative_to(entry.out)),
            "encoder": str(kept) if kept else None,
            "seconds": record.cost.wall_seconds,
        }

    test = datasets.load(profile.data, "test", profile.crop)
    return {
        "data": profile.data,
        "n_test": len(test),
        "chance": 1 / len(test.classes),
        "profile": profile.name,
        "settings": dict(vars(profile)),
        "probe": result.probe,
        "intervals": f"95 %, over {result.best.top1.over}",
        "sources": [
            {
                "source": s.row.title,
                "top1": interval(s.top1),
                "over_untrained": interval(s.lead) if s.lead else None,
                "runs": [run(record) for record in s.runs],
            }
            for s in result.standings
        ],
        "best": result.best.row.title,
        "not_told_apart_from_the_best": list(result.alike),
    }


def interval(e: stats.Estimate) -> dict[str, Any]:
    """A mean or a difference with its interval, in shares."""
    return {"mean": e.mean, "low": e.low, "high": e.high, "over": e.over}


def check_number(rows: Sequence[Row]) -> None:
    """Raise ParameterError for no source, one that comes twice, or too many."""
    names = [each.title for each in rows]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ParameterError(f"--sources {twice[0]}: given twice")
    if not 1 <= len(names) <= MOST:
        raise ParameterError(f"--sources: {len(names)} given; must be 1 to {MOST}")
