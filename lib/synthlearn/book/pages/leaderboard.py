"""The leaderboard: ranks, agreement with the paper's ranks, the paper's own table."""

from collections.abc import Sequence
from html import escape
from statistics import fmean

import numpy as np

from ...core import stats
from ...study import Profile, Runs, get_row
from .. import figures
from ..captions import Records, intervals_over, record_link
from ..html import Html, interval, minutes, run_count, span
from ..html import table as html_table
from ..published import published
from .stored import FAMILIES, command, protocol

HEADER = ("set", "top-1, %", "runs", "the paper's, %", "protocol", "images", "minutes", "command")
NOTE = (
    "Ours: mean over runs [95 % interval over {over}]; each links to its records. Minutes: of one "
    "run, its images, training and probes. A click on a heading sorts."
)
AGREEMENT = (
    "Spearman's ρ = {rho:.2f} [{low:.2f}, {high:.2f}] over {sets} synthetic sets (95 % bootstrap "
    "interval over sets); real images, the untrained encoder and pixels are left out, as they "
    "would make any order agree. A second study like this one, with as many runs, would agree with "
    "it by {certain:.2f} (Spearman–Brown over halves of the runs), so no correlation above "
    "{most:.2f} can be expected."
)
ORDER = "{verdict}: over the {sets} synthetic sets that both have, Spearman's ρ is {rho:.2f} {span}"
TOO_FEW = "Fewer than three synthetic sets with records and a published number: no correlation."
BREAK = "\N{ZERO WIDTH SPACE}"  # where a long name may go on in the next line
PUBLISHED = (
    "SmallAlexNet at full width, 105,000 images, 200 epochs, ImageNet-100; read off the authors' "
    "bar figure, ± 0.2."
)


def table(rows: Records, profile: Profile) -> Html:
    """Rows with their method and every measurement, sortable, each with its command."""
    body = [_line(name, runs, profile) for name, runs in rows.items()]
    alike = len({line[1] for line in body}) <= 2  # one protocol beside "no training"
    filters = ("images",) if alike else ("protocol", "images")
    note = NOTE.format(over=intervals_over(rows))
    return html_table(HEADER, body, note, sortable=True, filters=filters)


def _line(name: str, runs: Runs, profile: Profile) -> list[str]:
    row, accuracy = get_row(name), runs.accuracy()
    entry = published().get(row.published or "")
    seconds = fmean(run.cost.wall_seconds for run in runs)
    colour = figures.COLOURS[row.family]
    return [
        f"<span class='dot' style='background:{colour}'></span>{escape(row.title)}",
        record_link(interval(accuracy), name, profile),
        run_count(accuracy.runs),
        f"<span class='paper'>◇ {entry.value}</span>" if entry else "–",
        protocol(runs, profile),
        FAMILIES[row.family],
        minutes(seconds),
        command(f"run --profile {profile.name} --row {name}"),
    ]


def agreement(rows: Records) -> Html:
    """Spearman correlation of our accuracies with the paper's over the synthetic sets alone, beside
    the reliability of our own ranks over runs.
    """
    common = compared(rows)
    if len(common) < 3:
        return html_table(["sets"], [[str(len(common))]], TOO_FEW)
    ours, theirs = accuracies(rows, common)
    rho, low, high = stats.correlation(ours, theirs)
    certain = stats.reliability([[run.main.top1 for run in rows[name]] for name in common])
    ranks = {
        name: (int((ours > a).sum()) + 1, int((theirs > b).sum()) + 1)
        for name, a, b in zip(common, ours, theirs, strict=True)
    }
    paper = published()
    body = [
        [
            escape(get_row(name).title),
            str(a),
            str(b),
            f"{paper[str(get_row(name).published)].value}",
        ]
        for name, (a, b) in sorted(ranks.items(), key=lambda item: item[1])
    ]
    note = AGREEMENT.format(
        rho=rho, low=low, high=high, sets=len(common), certain=certain, most=certain**0.5
    )
    header = ["set", "our rank", "the paper's rank", "the paper's, %"]
    return html_table(header, body, note, sortable=True)


def order(rows: Records) -> str:
    """Whether our order of the synthetic sets is the paper's, as a clause; empty with few sets."""
    common = compared(rows)
    if len(common) < 3:
        return ""
    rho, low, high = stats.correlation(*accuracies(rows, common))
    verdict = "our order agrees with the paper's"
    if low <= 0:
        verdict = "we cannot tell whether our order agrees with the paper's"
    ends = span(f"{low:.2f}", f"{high:.2f}")
    return ORDER.format(verdict=verdict, sets=len(common), rho=rho, span=ends)


def compared(rows: Records) -> list[str]:
    """Synthetic sets with two runs or more and a published number."""
    return [
        name
        for name, runs in rows.items()
        if get_row(name).kind == "generator"
        and get_row(name).published in published()
        and len(runs) > 1
    ]


def accuracies(rows: Records, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Our accuracy and the paper's of some rows."""
    paper = published()
    theirs = [paper[str(get_row(name).published)].value for name in names]
    return np.array([rows[name].accuracy().mean for name in names]), np.array(theirs)


def published_table() -> Html:
    """The paper's numbers as they are, with what they are."""
    entries = sorted(published().values(), key=lambda entry: -entry.value)
    body = [
        [
            escape(entry.row).replace("+", f"+{BREAK}"),
            f"<span class='paper'>◇ {entry.value}</span>",
            escape(entry.kind) + f"<br><small>{escape(entry.note)}</small>" * bool(entry.note),
        ]
        for entry in entries
    ]
    header = ["the paper's row", "top-1, %", "kind"]
    return html_table(header, body, PUBLISHED, sortable=True)
