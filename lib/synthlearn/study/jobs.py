"""All jobs of a profile, listed once: for status, verification, publishing and the scheduler; and
what chapters get of them."""

from collections.abc import Iterator

from ..data import datasets
from . import records, search, store
from .experiment import Experiment
from .measuring import Measuring, plans
from .profiles import Profile
from .records import Run
from .rows import Row, get_row, rows_of
from .runs import Runs
from .search import RunTrial

AnyJob = Experiment | Measuring | RunTrial


def all_jobs(profile: Profile) -> Iterator[AnyJob]:
    """Every job of a profile: runs by row and seed, further measurements, trials that were made."""
    yield from experiments(profile)
    yield from measurings(profile)
    yield from trials(profile)


def experiments(profile: Profile) -> Iterator[Experiment]:
    """Every seed of every row."""
    for row in rows_of(profile):
        yield from every_seed(row, profile)


def every_seed(row: Row, profile: Profile) -> list[Experiment]:
    """A row's experiments."""
    seeds = range(row.settings(profile).seeds)
    return [Experiment(row, profile, seed) for seed in seeds]


def measurings(profile: Profile) -> Iterator[Measuring]:
    """Every planned measurement."""
    for name, plan in plans().items():
        for experiment in plan.experiments(profile):
            yield Measuring(name, experiment)


def trials(profile: Profile) -> Iterator[RunTrial]:
    """Trials of the searches' rungs as they are now that have a record: which are needed, only the
    search itself can tell."""
    if profile.name in search.PROFILES:
        for name in search.searches():
            for trial in search.get_search(name, profile.name).trials(profile):
                if trial.path.exists():
                    yield trial


def runs_of(row: Row, profile: Profile) -> Runs | None:
    """A row's runs. In the study's own profiles those that are recorded (None: none is yet); in
    others all seeds, made where missing.

    A recorded run that is stale is made again, but read as it is where the probe's data are not
    here to make it with."""
    seeds = every_seed(row, profile)
    if not profile.is_study:
        return Runs(tuple(store.get(experiment) for experiment in seeds))
    here = seeds[0].settings.data in datasets.names()
    paths = [experiment for experiment in seeds if experiment.path.exists()]
    recorded = [store.get(e) if here else records.read(e.path, Run) for e in paths]
    twins = [twin for _, twin in store.device_pairs(profile.name) if twin.row == row.name]
    return Runs((*recorded, *twins)) if recorded or twins else None


def chapter(name: str, profile: Profile) -> dict[str, Runs]:
    """The runs of a chapter's rows by row. Rows of the study's own profiles that have none yet are
    left out: ``make study`` makes them."""
    rows = [row for row in rows_of(profile) if row.chapter == name]
    return {row.name: runs for row in rows if (runs := runs_of(row, profile))}


def baseline(profile: Profile, name: str = "random") -> Runs:
    """Runs of another chapter's row, to compare with; made where none is recorded."""
    row = get_row(name)
    made = runs_of(row, profile)
    return made or Runs(tuple(store.get(experiment) for experiment in every_seed(row, profile)))
