"""What the study cost: of runs, of further measurements, and on which machines."""

from collections.abc import Sequence
from html import escape
from statistics import fmean

import numpy as np

from ...study import MeasurementRecord, Profile, Runs, get_row, measuring, store
from ...study.records import Trial
from ..captions import Records
from ..html import Html, minutes, table
from ..sentences import in_short
from .stored import command, date

WATTS = 10  # assumed for one busy core of a server, with its share of the memory
# of a run on a GPU: a tenth of the 430 W that the H100 drew while nine to fifteen runs shared it
# (nvidia-smi, every minute)
CARD_WATTS = 43
HEADER = (
    "run",
    "all, min",
    "runs",
    "images, min",
    "training, min",
    "probe, min",
    "memory, MB",
)
TOTAL = (
    "The {runs:,} runs took {cores:.0f} hours of a core and {card:.1f} hours on a GPU that each "
    "shared with eight to fourteen others, and made {images:,.0f} images."
)
PRICE = (
    "A run of the main protocol takes {each:.0f} minutes of a core: its images, its training and "
    "its probes."
)
ENERGY = (
    "By an estimate of {watts} W for a busy core and {card_watts} W for a share of the card, all "
    "of them took {energy:,.0f} Wh."
)
NOTE = (
    "Minutes of images, training and probe are means over runs; the first column is the sum of "
    "everything over all runs."
)


def total(rows: Records) -> Html:
    """What all runs cost, as the short answer of the page."""
    if not rows:
        return in_short("No run has been recorded yet")
    count, images, wall, _, energy, card = np.sum([_sums(runs) for runs in rows.values()], axis=0)
    spent = TOTAL.format(
        runs=int(count), cores=(wall - card) / 3600, card=card / 3600, images=images
    )
    each = [
        run.cost.wall_seconds / 60
        for name in ("dead_leaves-mixed", "real")
        for run in rows.get(name, ())
        if not run.provenance.on_card
    ]
    price = PRICE.format(each=np.mean(each)) if each else ""
    watts = ENERGY.format(watts=WATTS, card_watts=CARD_WATTS, energy=energy)
    return in_short(spent, price, watts)


def rows_table(rows: Records) -> Html:
    """What every row cost, sortable."""
    body = [_line(name, runs, _sums(runs)) for name, runs in rows.items()]
    return table(HEADER, body, NOTE, sortable=True)


def _sums(runs: Runs) -> np.ndarray:
    """Of a row's runs: their number, images, seconds by the clock and of the processor, Wh, and
    seconds on a card.
    """
    cost = [run.cost for run in runs]
    wall = sum(c.wall_seconds for c in cost)
    cpu = sum(c.cpu_seconds or 0 for c in cost)
    card = sum(run.cost.wall_seconds for run in runs if run.provenance.on_card)
    energy = (cpu * WATTS + card * CARD_WATTS) / 3600
    return np.array([len(runs), sum(c.images or 0 for c in cost), wall, cpu, energy, card])


def _line(name: str, runs: Runs, sums: np.ndarray) -> list[str]:
    cost = [run.cost for run in runs]
    return [
        escape(get_row(name).title),
        minutes(sums[2]),
        f"{sums[0]:.0f}",
        _minutes([c.pool_seconds for c in cost]),
        _minutes([c.train_seconds for c in cost]),
        _minutes([c.probe_seconds for c in cost]),
        f"{max(c.peak_mb or 0 for c in cost):,}",
    ]


def _minutes(seconds: Sequence[float | None]) -> str:
    """Mean over runs in minutes, a dash where the first has none."""
    if seconds[0] is None:
        return "–"
    return minutes(fmean(each or 0.0 for each in seconds))


def measurements(profile: Profile) -> Html:
    """What the further measurements took, by kind."""
    every = {
        name: [r.cost.wall_seconds for r in store.committed(MeasurementRecord, profile.name, name)]
        for name in measuring.plans()
    }
    body = [
        _kind(name.replace("_", " "), seconds, f"measure --profile {profile.name} --what {name}")
        for name, seconds in every.items()
        if seconds
    ]
    if trials := store.committed(Trial, profile.name):
        seconds = [trial.cost.wall_seconds for trial in trials]
        body.append(_kind("search", seconds, f"search --profile {profile.name}"))
    header = ["measurement", "records", "minutes each", "minutes in all", "command"]
    note = "Minutes of one core, without the training of the encoders, which is counted above."
    return table(header, body or [["–"] * len(header)], note)


def _kind(title: str, seconds: Sequence[float], arguments: str) -> list[str]:
    every = f"{sum(seconds) / 60:.0f}"
    return [title, str(len(seconds)), minutes(fmean(seconds)), every, command(arguments)]


def machines(rows: Records) -> Html:
    """Where and with what the records were made."""
    dates: dict[tuple[str, ...], list[str]] = {}
    for made in (run.provenance for runs in rows.values() for run in runs):
        kind = (made.device, str(made.threads), made.python, made.torch)
        dates.setdefault(kind, []).append(made.date)
    body = [
        [
            *map(escape, kind),
            " to ".join(sorted({date(min(days)), date(max(days))})),
            str(len(days)),
        ]
        for kind, days in sorted(dates.items())
    ]
    header = ["device", "threads of a run", "Python", "torch", "date", "runs"]
    return table(header, body, "Where the runs were made.")
