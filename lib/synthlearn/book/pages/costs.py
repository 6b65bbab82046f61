"""What the study cost: of runs, of further measurements, and on which machines."""

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np

from ...study import MeasurementRecord, Profile, Runs, get_row, measuring, store
from ...study.records import Trial
from ..captions import Records
from ..html import Html, table
from .stored import command

WATTS = 10  # assumed for one busy core of a server, with its share of the memory
# of a run on a GPU: a tenth of the 430 W that the H100 drew while nine to fifteen runs shared it
# (nvidia-smi, every minute)
CARD_WATTS = 43
HEADER = (
    "source",
    "runs",
    "pictures",
    "on a GPU",
    "pictures, min",
    "training, min",
    "probe, min",
    "all, min",
    "processor, min",
    "energy, Wh",
    "memory, MB",
    "failed tries",
    "command",
)
NOTE = (
    "In all {runs:.0f} runs, {pictures:,.0f} pictures, {cores:.1f} hours of runs on a core each "
    "and {card:.1f} hours of runs that shared a GPU with eight to fourteen others, {processor:.1f} "
    f"processor hours, {{energy:.0f}} Wh. Energy is an estimate: {WATTS} W for a busy core, "
    f"{CARD_WATTS} W for a share of the card. Minutes of pictures, training and probe are means "
    "over runs, the rest sums."
)


def rows_table(rows: Records, profile: Profile) -> Html:
    """What every row cost, sums over its runs, sortable; and the total."""
    body, total = [], np.zeros(6)
    for name, runs in rows.items():
        sums = _sums(runs)
        total += sums
        body.append(_line(name, runs, sums, profile))
    count, pictures, wall, cpu, energy, card = total
    note = NOTE.format(
        runs=count,
        pictures=pictures,
        cores=(wall - card) / 3600,
        card=card / 3600,
        processor=cpu / 3600,
        energy=energy,
    )
    return table(HEADER, body, note, sortable=True)


def _sums(runs: Runs) -> np.ndarray:
    """Of a row's runs: their number, pictures, seconds by the clock and of the processor, Wh, and
    seconds on a card.
    """
    cost = [run.cost for run in runs]
    wall = sum(c.wall_seconds for c in cost)
    cpu = sum(c.cpu_seconds or 0 for c in cost)
    card = sum(run.cost.wall_seconds for run in runs if run.provenance.on_card)
    energy = (cpu * WATTS + card * CARD_WATTS) / 3600
    return np.array([len(runs), sum(c.images or 0 for c in cost), wall, cpu, energy, card])


def _line(name: str, runs: Runs, sums: np.ndarray, profile: Profile) -> list[str]:
    cost = [run.cost for run in runs]
    count, pictures, wall, cpu, energy, _ = sums
    return [
        escape(get_row(name).title),
        f"{count:.0f}",
        f"{pictures:,.0f}",
        str(sum(run.provenance.on_card for run in runs)),
        _minutes([c.pool_seconds for c in cost]),
        _minutes([c.train_seconds for c in cost]),
        _minutes([c.probe_seconds for c in cost]),
        f"{wall / 60:.1f}",
        f"{cpu / 60:.1f}",
        f"{energy:.1f}",
        f"{max(c.peak_mb or 0 for c in cost):,}",
        str(sum(c.failed_tries or 0 for c in cost)),
        command(f"run --profile {profile.name} --row {name}"),
    ]


def _minutes(seconds: Sequence[float | None]) -> str:
    """Mean over runs in minutes, a dash where the first has none."""
    if seconds[0] is None:
        return "–"
    return f"{np.mean([each or 0.0 for each in seconds]) / 60:.1f}"


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
    note = "Of one core; what is trained for them is above."
    return table(header, body or [["–"] * len(header)], note)


def _kind(title: str, seconds: Sequence[float], arguments: str) -> list[str]:
    each, every = f"{np.mean(seconds) / 60:.1f}", f"{sum(seconds) / 60:.0f}"
    return [title, str(len(seconds)), each, every, command(arguments)]


def machines(rows: Records) -> Html:
    """Where and with what the records were made."""
    kinds = Counter(
        (made.device, str(made.threads), made.python, made.torch, made.date[:10])
        for made in (run.provenance for runs in rows.values() for run in runs)
    )
    body = [[*(escape(cell) for cell in kind), str(n)] for kind, n in sorted(kinds.items())]
    header = ["device", "threads of a run", "Python", "torch", "date", "runs"]
    return table(header, body, "Where the runs were made.")
