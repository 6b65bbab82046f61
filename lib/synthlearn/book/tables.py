"""Tables of a chapter's rows: our accuracies beside the paper's, gains, variants, measurements."""

from collections.abc import Sequence
from html import escape
from statistics import fmean

from ..measure.fine_tuning import FineTunedAccuracy
from ..study import Profile, Runs, get_row, units
from ..study.jobs import baseline, runs_of
from ..study.measuring import Measured
from ..study.records import MAIN, PRIMARY
from .captions import (
    NO_CHANGE,
    Records,
    base_of,
    changes,
    encoder_title,
    intervals_over,
    intervals_over_encoders,
    list_options,
    record_link,
)
from .html import Html, count, folded, interval, join, nothing, percent, points, run_count, table
from .published import published
from .sentences import share_in_words, share_of_way

ENDS = ("random", "real")  # where the way begins and ends
SECONDARY = ("fc7_linear", "fc6_knn", "fc6_linear_bn")  # probes beside the main one
PROBES = {  # what probes are called in a table; others by their own names
    "fc6_linear": "fc6, linear",
    "fc7_linear": "fc7, linear",
    "fc6_knn": "fc6, neighbours",
    "fc6_linear_bn": "fc6, BN re-estimated",
}
NO_WAY = ("baseline", "reference")  # families that lie below the way, or above it
SHARES = "Share of the way from the untrained encoder to real images: Fieller's interval."


def results(records: Records, profile: Profile) -> Html:
    """Top-1 with its interval, the share of the way to real images, the number of runs and the
    paper's number; the other probes and the gains over the untrained encoder are folded below.
    """
    paper, random = published(), records.get("random") or baseline(profile)
    real = records.get("real") or runs_of(get_row("real"), profile)
    body = []
    for name, runs in records.items():
        row, e = get_row(name), runs.accuracy()
        theirs = paper.get(row.published or "")
        body.append(
            [
                escape(row.title),
                record_link(interval(e), name, profile),
                "–" if name in ENDS or row.family in NO_WAY else share_cell(runs, random, real),
                run_count(e.runs),
                f"<span class='paper'>◇ {theirs.value}</span>" if theirs else "–",
            ]
        )
    header = ["set", "top-1, %", "share of the way", "runs", "the paper's, %"]
    n = next(iter(records.values())).first.main.n
    note = f"Top-1 on {n:,} test images of {profile.data}, "
    note += f"mean over runs [95 % interval: runs and images]. {SHARES}"
    if any(line[-1] != "–" for line in body):
        note = f"Ours: {note[:1].lower()}{note[1:]} "
        note += "The paper's: ImageNet-100, full scale, read off a figure (± 0.2)."
    else:
        header, body = header[:-1], [line[:-1] for line in body]
    more = folded("All probes, and gains over the untrained encoder", gains(records, profile))
    return join(table(header, body, note), more)


def gains(records: Records, profile: Profile) -> Html:
    """Top-1 by every probe, and its gain over the untrained encoder."""
    random = records.get("random") or baseline(profile)
    body = []
    for name, runs in records.items():
        for probe in (PRIMARY, *SECONDARY):
            if probe in runs.first.results:
                gain = "–" if name == "random" else points(runs.difference(random, probe))
                e, words = runs.accuracy(probe), PROBES.get(probe, probe.replace("_", " "))
                title = escape(get_row(name).title)
                body.append([title, words, interval(e), gain, run_count(e.runs)])
    header = ["set", "probe", "top-1, %", "gain, points", "runs"]
    note = f"95 % intervals over {intervals_over(records)}; the untrained encoder has "
    note += f"{count(len(random), 'run')}."
    return table(header, body, note)


def share_cell(runs: Runs, floor: Runs, ceiling: Runs | None) -> str:
    """How far a row goes from one to another, with its interval, in per cent; a dash where the
    whole way may be nothing.
    """
    share = share_of_way(runs, floor, ceiling) if ceiling else None
    return share_in_words(share) if share else "–"


def sensitivity(profile: Profile, names: Sequence[str], variant: str) -> Html:
    """Accuracy of some rows under the study's settings and under a variant's, and how far these lie
    apart.
    """
    body, usual = [], {name: baseline(profile, name) for name in names}
    for name, runs in usual.items():
        other = baseline(profile, f"{name}.{variant}")
        both = {name: runs.accuracy(), other.first.row: other.accuracy()}
        body.append(
            [
                escape(get_row(name).title),
                *(record_link(interval(e), row, profile) for row, e in both.items()),
                points(other.difference(runs)),
                *(run_count(e.runs) for e in both.values()),
            ]
        )
    changed = list_options(get_row(f"{names[0]}.{variant}").overrides)
    header = ["source", "study's settings, %", f"{changed}, %", "difference, points"]
    header += ["runs", "runs of the variant"]
    return table(header, body, f"Top-1 [95 % interval over {intervals_over(usual)}].")


def ablation(records: Records, profile: Profile, against: str | None = None) -> Html:
    """Variants beside the row that they vary (or beside ``against``): accuracy, how far they lie
    from it, what is changed, the command.
    """
    if not records:
        return nothing(f"The profile {profile.name} has no run of these rows.")
    body = []
    for base in sorted({against or base_of(name) for name in records}):
        reference = records.get(base) or runs_of(get_row(base), profile)
        if reference:
            body.append(_ablation_line(base, reference, None, profile))
        for name, runs in records.items():
            if (against or base_of(name)) == base and name != base:
                body.append(_ablation_line(name, runs, reference, profile))
    header = ["run", "top-1, %", "difference, points", "runs", "command"]
    note = f"Top-1 [95 % interval over {intervals_over(records)}]; "
    note += "differences from the first of its kind, unpaired over runs, image by image over the "
    note += "same test images."
    return table(header, body, note, stacked=True)


def _ablation_line(name: str, runs: Runs, reference: Runs | None, profile: Profile) -> list[str]:
    row, e = get_row(name), runs.accuracy()
    difference = "–"
    if reference is not None:
        difference = points(runs.difference(reference, _common_probe(runs, reference)))
    command = f"python -m synthlearn run --profile {profile.name} --row {escape(name)}"
    changed = changes(row, profile)
    return [
        escape(row.title) + f"<br><small>{escape(changed)}</small>" * (changed != NO_CHANGE),
        record_link(interval(e), name, profile),
        difference,
        run_count(e.runs),
        f"<code>{command}</code>",
    ]


def _common_probe(a: Runs, b: Runs) -> str:
    """A probe that both have by name, or each one's own main one."""
    return PRIMARY if a.has(PRIMARY) and b.has(PRIMARY) else MAIN


def parts_table(measured: Measured, caption: str) -> Html:
    """Top-1 of the parts of a measurement (layers, numbers of examples), with the learning rates of
    fine-tuned ones.
    """
    parts = {name: units.part(measured, name) for name in units.parts(measured)}
    first = next(iter(parts.values()))
    body = []
    for name, records in measured.items():
        cells = []
        for part, each in parts.items():
            results = [record.results[part] for record in records]
            tuned = [result for result in results if isinstance(result, FineTunedAccuracy)]
            rates = ", ".join(dict.fromkeys(f"{result.lr:g}" for result in tuned))
            note = f" <small>lr&nbsp;{rates}</small>" if rates else ""
            cells.append(interval(each.estimate(name)) + note)
        body.append([escape(encoder_title(name, first)), *cells])
    note = f"{caption} {intervals_over_encoders(first)}"
    return table(["source", *parts], body, note, sortable=True)


def transfer_groups(measured: Measured, apart: str) -> Html:
    """Each row's gain over chance by group of tasks, and its top-1 on one task, that is to be seen
    by itself.

    >>> sl.book.transfer_groups(transfer, "coil100-azimuth")  # doctest: +SKIP
    """
    groups = {group: units.group(measured, group) for group in units.groups(measured)}
    first = next(iter(groups.values()))
    single = units.part(measured, apart) if apart in units.parts(measured) else None
    body = []
    for row in rank_by_groups(groups):
        cells = [interval(each.estimate(row)) for each in groups.values()]
        cells += [interval(single.estimate(row))] if single else []
        body.append([escape(encoder_title(row, first)), *cells])
    header = ["source", *groups, *([f"{apart}, top-1"] if single else [])]
    note = "Groups: mean gain over chance, (top-1 − chance)/(1 − chance), in per cent. "
    note += intervals_over_encoders(first)
    return table(header, body, note, sortable=True)


def transfer_table(measured: Measured) -> Html:
    """Accuracy of every task and the group means of gains over chance."""
    tasks = units.tasks_of(next(iter(measured.values()))[0])
    groups = {group: units.group(measured, group) for group in units.groups(measured)}
    names = [name for group in groups for name, task in tasks.items() if task.group == group]
    accuracies = [units.part(measured, name) for name in names]
    first = next(iter(groups.values()))
    body = []
    for row in rank_by_groups(groups):
        means = [interval(each.estimate(row)) for each in groups.values()]
        single = [percent(each.estimate(row).mean) for each in accuracies]
        body.append([escape(encoder_title(row, first)), *means, *single])
    counts = ", ".join(f"{name} {task.train:,} of {task.n:,}" for name, task in tasks.items())
    note = "Group columns: mean of (top-1 − chance)/(1 − chance), in per cent, tasks fixed, "
    note += f"with {intervals_over_encoders(first)} Others: top-1 of a linear probe. "
    note += f"Training and test images: {counts}."
    return table(["source", *groups, *names], body, note, sortable=True)


def rank_by_groups(groups: dict[str, units.Units]) -> list[str]:
    """Rows by their mean over groups of transfer tasks, best first."""
    names = next(iter(groups.values())).values

    def mean(name: str) -> float:
        return fmean(each.estimate(name).mean for each in groups.values())

    return sorted(names, key=lambda name: -mean(name))
