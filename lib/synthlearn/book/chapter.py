"""What a chapter shows of its rows: tables, verdicts, provenance; all computed from records."""

import dataclasses
import html
import itertools
import json
import re
import time
import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from ..core import files, stats
from ..core.errors import DataError
from ..data import datasets
from ..measure import metrics
from ..study import Profile, Runs, all_rows, claims, get_row
from ..study.jobs import baseline
from ..study.profiles import defaults
from ..study.provenance import commit
from ..study.records import PRIMARY
from ..study.rules import Evidence
from . import figures

_began = time.perf_counter()
KEY = "Filled: ours, with 95 % intervals; dashed line: the random encoder; dotted: chance. Hollow: the paper's, on its own axis above."
SHOWN_PAIRS = 4  # of a claim's comparisons; more are folded away
# The start of any tag but ours: their names, and attributes whose values can neither leave their quotes nor name another host or a script
ATTRIBUTE = (
    r" (?:(?:class|id)='[\w .+-]*'|href='(?!/)[\w./#+-]*'|style='background:#[0-9A-Fa-f]{6}')"
)
FOREIGN_TAG = re.compile(rf"<(?!/?(?:a|b|br|code|details|i|small|span|summary)(?:{ATTRIBUTE})*>)")
SECONDARY = ("fc7_linear", "fc6_knn", "fc6_linear_bn")
Records = dict[str, Runs]


def published(path: str = "book/published.json") -> dict[str, dict[str, Any]]:
    """The paper's numbers by row: value in per cent, protocol, source mark."""
    return {
        entry.row: entry
        for entry in json.loads((files.root() / path).read_text(encoding="utf-8"))["rows"]
    }


def published_shares() -> dict[str, tuple[dict[str, Any], float, float, bool]]:
    """How far the paper's best noise went from its random encoder to real images, by set of these: the noise's entry, points left, share, whether the
    real images' bar is cut off, so that the share is a bound."""
    paper, found = published(), {}
    best, floor = (
        max(
            (e for e in paper.values() if e["kind"] == "noise of the paper"),
            key=lambda e: e["value"],
        ),
        paper["CNN-Rand"]["value"],
    )
    for name in ("ImageNet-100", "Places"):
        top = paper[name]["value"]
        found[name] = (
            best,
            top - best["value"],
            (best["value"] - floor) / (top - floor),
            "at least" in paper[name].get("note", ""),
        )
    return found


def published_updates() -> int:
    """Updates of the paper's runs, which keep an epoch's last, smaller batch."""
    usual = defaults("paper")
    kept = dataclasses.replace(usual.optimisation(), last_batch="kept")
    return usual.epochs * kept.steps_per_epoch(usual.n_images)


def cell(text: str) -> str:
    """A table's cell as it goes into a page: text with the few tags that this package writes; whatever else opens a tag is shown, not obeyed."""
    return FOREIGN_TAG.sub("&lt;", text)


def table(
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    caption: str = "",
    sortable: bool = False,
    filters: Sequence[str] = (),
) -> figures.Shown:
    """An HTML table of cells that may hold our markup (:func:`cell`). ``filters``: headings whose values a reader may choose from.

    Raises: ValueError if a line has not one cell per heading."""
    for line in body:
        if len(line) != len(header):
            raise ValueError(
                f"a table's line has {len(line)} cells under {len(header)} headings: {line[0]}"
            )
    head = "".join(
        f"<th scope='col'{' data-filter' * (h in filters)}>{cell(h)}</th>" for h in header
    )
    lines = "".join(
        "<tr>" + "".join(f"<td>{cell(c)}</td>" for c in line) + "</tr>" for line in body
    )
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    kind = "synthlearn sortable" if sortable else "synthlearn"
    return figures.Shown(
        f'<div class="scroll"><table class="{kind}">{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>',
        caption,
    )


def percent(x: float) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * x:.1f}"


def interval(e: stats.Estimate) -> str:
    """Mean and 95 % interval in per cent."""
    return f"{percent(e.mean)} <small>[{percent(e.low)}, {percent(e.high)}]</small>"


def runs_of(e: stats.Estimate) -> str:
    """How many runs a number stands on, for a table."""
    return "one run" if e.runs == 1 else str(e.runs)


def marked(title: str, e: stats.Estimate) -> str:
    """A row's title for a figure, with a mark where its interval is over runs but stands on one."""
    return f"{title} (one run)" if e.runs == 1 and e.over != "images" else title


def draw_line(
    axis: Axes,
    x: Sequence[float],
    found: Sequence[stats.Estimate],
    colour: str,
    mark: str,
    label: str,
) -> None:
    """A line of accuracies in per cent with their intervals along ``x``; a mark that stands on one run is hollow."""
    mean = [100 * e.mean for e in found]
    bars = [[100 * (e.mean - e.low) for e in found], [100 * (e.high - e.mean) for e in found]]
    axis.errorbar(x, mean, yerr=bars, color=colour, capsize=3)
    for at, y, e in zip(x, mean, found, strict=True):
        axis.plot(
            at,
            y,
            mark,
            color=colour,
            markersize=7,
            markerfacecolor=colour if e.runs > 1 else "none",
        )
    axis.plot([], [], mark + "-", color=colour, label=label)


def line_note(found: Sequence[stats.Estimate]) -> str:
    """What the intervals of drawn lines are over, for a caption, and that hollow marks stand on one run where there are both kinds."""
    over = " or ".join(dict.fromkeys(e.over for e in found))
    return f"95 % intervals over {over}" + "; hollow marks: one run" * (
        len({e.runs > 1 for e in found}) > 1
    )


def recorded(text: str, name: str, profile: Profile) -> str:
    """A number or title of a row as a link to the list of records, where these are committed."""
    return (
        f"<a class='number' href='94_records.html#{html.escape(name)}'>{text}</a>"
        if profile.is_study and profile.name == claims.deciding()
        else text
    )


def points(e: stats.Estimate) -> str:
    """A difference and its interval in percentage points."""
    return f"{100 * e.mean:+.1f} <small>[{100 * e.low:+.1f}, {100 * e.high:+.1f}]</small>"


def secondary(runs: Runs) -> list[str]:
    """Cells of the further probes, a dash where a row has none."""
    return [interval(runs.accuracy(p)) if p in runs.first.results else "–" for p in SECONDARY]


def results(found: Records, profile: Profile) -> figures.Shown:
    """Our accuracy and its gain over the random encoder, with intervals, beside the paper's number."""
    paper, random = published(), found.get("random") or baseline(profile)
    body = []
    for name, mine in found.items():
        row, e = get_row(name), mine.accuracy()
        gain = mine.difference(random)
        entry = paper.get(row.published or "")
        cells = [
            html.escape(row.title),
            recorded(interval(e), name, profile),
            "–" if name == "random" else points(gain),
        ]
        body.append(
            [
                *cells,
                *secondary(mine),
                runs_of(e),
                f"<span class='paper'>◇ {entry['value']}</span>" if entry else "–",
            ]
        )
    n = next(iter(found.values())).first.main.n
    return table(
        [
            "source",
            "fc6 linear, %",
            "gain over random",
            "fc7",
            "fc6 kNN",
            "fc6, BN re-estimated",
            "runs",
            "the paper's, %",
        ],
        body,
        f"Ours: top-1 on {n:,} test images of {profile.data}, mean over runs [95 % interval: runs and images]. "
        "The paper's: ImageNet-100, full scale, read off a figure (± 0.2).",
    )


def gains(found: Records, profile: Profile) -> figures.Shown:
    """Gain over the random encoder by every measurement."""
    random, body = found.get("random") or baseline(profile), []
    of_random = runs_of(random.accuracy())
    for name, mine in found.items():
        for measurement in (PRIMARY, *SECONDARY):
            if name != "random" and measurement in mine[0].results:
                e = mine.difference(random, measurement)
                body.append(
                    [
                        html.escape(get_row(name).title),
                        measurement.replace("_", " "),
                        points(e),
                        runs_of(mine.accuracy()),
                        of_random,
                    ]
                )
    header = ["source", "measurement", "gain over random, points", "runs", "runs of random"]
    return table(header, body, f"95 % intervals over {over(found)}.")


def over(found: Records) -> str:
    """What the intervals of some rows are over."""
    kinds = dict.fromkeys(mine.accuracy().over for mine in found.values())
    return " or ".join(kinds) + (
        " alone, as nothing is known of how far runs lie apart" if list(kinds) == ["images"] else ""
    )


def accuracy_figure(found: Records, profile: Profile) -> figures.Shown:
    """The same numbers as a picture."""
    paper, lines = published(), []
    for name, mine in found.items():
        row, e = get_row(name), mine.accuracy()
        value = paper[row.published]["value"] if row.published else None
        lines.append(
            {
                "label": marked(row.title, e),
                "family": row.family,
                "mean": e.mean,
                "low": e.low,
                "high": e.high,
                "published": value,
            }
        )
    floor = (found.get("random") or baseline(profile)).accuracy().mean
    said = "; ".join(
        f"{get_row(name).title} {percent(mine.accuracy().mean)} %" for name, mine in found.items()
    )
    alt = f"Accuracy with intervals. {said}; random encoder {percent(floor)} %."
    return figures.accuracies(
        lines, floor, chance(profile.data), alt, f"{KEY} Intervals are over {over(found)}."
    )


def chance(data: str) -> float | None:
    """Accuracy of guessing on a set whose classes are equally frequent; None when the set is not here to be counted."""
    if data.startswith("cifar10") and not data.startswith("cifar100"):
        return 0.1
    try:
        return 1 / len(datasets.load(data, "test").classes)
    except DataError:
        return None


def styles(found: Records) -> dict[str, tuple[str, str]]:
    """Colour and label of each row."""
    return {name: (figures.COLOURS[get_row(name).family], get_row(name).title) for name in found}


def training(found: Records) -> figures.Shown:
    """Loss and its terms over training, for the rows that were trained: the terms that all of them have."""
    trained = {name: mine for name, mine in found.items() if mine[0].curves}
    terms = [
        term
        for term in ("loss", "align", "uniform", "above_floor")
        if all(term in mine[0].curves for mine in trained.values())
    ]
    lines = dict(
        zip(trained, itertools.cycle(figures.LINES), strict=False)
    )  # a chapter's rows are one family: its colour would not tell them apart
    last = "; ".join(
        f"{get_row(name).title} ends at loss {np.mean([run.curves['loss'][-1] for run in mine]):.2f}"
        for name, mine in trained.items()
    )
    return figures.curves(
        trained,
        terms,
        {name: (lines[name], get_row(name).title) for name in trained},
        f"Training curves. {last}.",
        f"Training: the loss and its terms, mean over runs. {last_batches(trained)}".strip(),
    )


def last_batches(found: Records) -> str:
    """What the last, smaller batch of an epoch does to curves, for a caption; empty where all batches are alike."""
    ends: dict[tuple[int, int], int] = {}
    for spec in (mine[0].spec for mine in found.values()):
        assert spec.source is not None
        n, batch = spec.source.n_images, spec.batch_size
        whole = not spec.keeps_last_batch or spec.images_per_caption
        if not whole and n > batch and n % batch >= 2:
            ends[n, batch] = n % batch
    told = [
        f"An epoch of {n:,} images ends with a batch of {last} instead of {batch}, with batch statistics of its own: "
        + ("hence the comb." if last < batch / 2 else "it hardly shows.")
        for (n, batch), last in sorted(ends.items(), reverse=True)
    ]
    return " ".join(told)


def first_layer(found: Records, **more: Runs) -> figures.Shown:
    """First-layer filters of seed 0 of each row."""
    shown = {
        get_row(name).title: mine[0].filters
        for name, mine in {**found, **more}.items()
        if mine[0].filters is not None
    }
    return figures.filters(
        shown,
        f"First-layer filters of {', '.join(shown)}.",
        "First-layer filters after training, each stretched to its own range.",
    )


def verdicts(chapter: str) -> figures.Shown:
    """The claims that a chapter tells, each with the one verdict that it has in the whole book, and the chapter's own part of the evidence."""
    return claim_table([claim for claim in claims.verdicts() if chapter in claim.chapters], chapter)


def claim_table(
    judged: Sequence[claims.Claim], chapter: str = "", evidence: bool = True
) -> figures.Shown:
    """Claims with source, verdict and evidence; of a chapter, what involves its own rows is open and the rest folded."""
    body = []
    for claim in judged:
        told = f"{html.escape(claim.text)}<br><small>{html.escape(claim.source)}</small>"
        if claim.changed and evidence:
            told += f"<br><small><i>Rule changed {html.escape(claim.changed)}.</i></small>"
        body.append(
            [
                told,
                _verdict(claim),
                *([_evidence(claim, chapter)] if evidence else []),
                _runs(claim),
            ]
        )
    header = [
        "claim",
        "verdict",
        *(["evidence: difference in points, 95 % interval"] if evidence else []),
        "runs",
    ]
    words = [claim.verdict for claim in judged]
    total = ", ".join(f"{words.count(word)} {word}" for word in claims.VERDICTS if word in words)
    whose = (
        " and ".join(dict.fromkeys(claim.profile for claim in judged if claim.profile))
        or "none yet"
    )
    note = f"{counted(len(judged), 'claim')}: {total}. Of committed records alone (profile {whose}), whatever the rest of this page ran; the same verdict on "
    note += "every page. Intervals are over runs (or encoders) and test images. ✓ and ✗ before a comparison are at 5 % for it alone; all of a claim must hold, "
    note += "by the stricter bar of Holm's procedure over its paper's claims."
    return table(header, body, note)


def counted(n: int, word: str) -> str:
    """A number with its noun, plural where it has to be."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _verdict(claim: claims.Claim) -> str:
    """The verdict's mark and word; of an undecided claim, what would settle it; of one without a rule, why."""
    mark = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not tested": "–"}[
        claim.verdict
    ]
    cell = f"<b class='{claim.verdict.replace(' ', '-')}'>{mark} {claim.verdict}</b>"
    if claim.untested:
        return f"{cell}<br><small>{html.escape(claim.untested)}</small>"
    if claim.verdict == "not tested":
        failed = [e for e in claim.pieces if e.control and e.verdict != "supported"]
        return f"{cell}<br><small>{'its control fails' if failed else 'not all of it is recorded'}</small>"
    if claim.verdict == "undecided":
        way = "contradict" if any(e.away < 0 for e in claim.pieces if not e.control) else "support"
        settles = (
            f"{claim.needed:,} runs of each row would settle it, and {way} it, if it is as it looks"
            if claim.needed
            else "more runs alone would not settle it"
        )
        return f"{cell}<br><small>{settles}</small>"
    return cell


def _evidence(claim: claims.Claim, chapter: str) -> str:
    """The evidence line by line; a chapter's own first, the rest folded, and told how many of how many they are."""
    own = [
        e
        for e in claim.pieces
        if not chapter or not e.rows or any(_tells(chapter, name) for name in e.rows)
    ] or list(claim.pieces)
    rest = [e for e in claim.pieces if e not in own]
    lines, others = (("<br>".join(map(_line, part))) for part in (own, rest))
    if rest:
        said = f"<small>this page: {len(own)} of its {counted(len(claim.pieces), 'comparison')}</small><br>"
        return f"{said}{lines}<details><summary>the others: {_counts(rest)}</summary>{others}</details>"
    if len(own) > SHOWN_PAIRS:
        return f"<details><summary>{counted(len(own), 'comparison')}: {_counts(own)}</summary>{lines}</details>"
    return lines


def _tells(chapter: str, name: str) -> bool:
    return name in all_rows() and get_row(name).chapter == chapter


def _counts(found: Sequence[Evidence]) -> str:
    """How many of some pieces of evidence say what, each by itself."""
    words = [e.verdict for e in found]
    return ", ".join(f"{words.count(word)} {word}" for word in claims.VERDICTS if word in words)


def _line(e: Evidence) -> str:
    """One piece of evidence with its own mark."""
    mark = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not tested": "–"}[e.verdict]
    return f"{mark} {'<i>control:</i> ' * e.control}{html.escape(e.text)}"


def _runs(claim: claims.Claim) -> str:
    return "–" if not claim.runs else "one run" if claim.runs == 1 else str(claim.runs)


def provenance(profile: Profile, found: Records) -> figures.Shown:
    """One line: profile and commit of the page; of its records, where it shows any, code, device, versions, wall time and seeds."""
    flat = [r for mine in found.values() for r in mine]
    parts = {
        "profile": profile.name,
        "data": profile.data,
        "page made at commit": commit("notebooks", "book", "workflow"),
    }
    if flat:
        made = {
            field: sorted({getattr(r.provenance, field) for r in flat})
            for field in ("code", "device", "python", "torch")
        }
        parts |= {
            "records by code": ", ".join(code[:10] for code in made["code"]),
            "device": ", ".join(made["device"]),
            "Python": ", ".join(made["python"]),
            "torch": ", ".join(made["torch"]),
            "runs": f"{len(flat)} in {sum(r.cost.wall_seconds for r in flat) / 60:.1f} min",
            "seeds": ", ".join(str(s) for s in sorted({r.seed for r in flat})),
        }
    parts["this page"] = f"{time.perf_counter() - _began:.0f} s"
    line = " · ".join(f"{name} {value}" for name, value in parts.items())
    return figures.Shown(f'<p class="provenance">{html.escape(line)}</p>', line)


def sensitivity(profile: Profile, names: Sequence[str], variant: str) -> figures.Shown:
    """Accuracy of some rows under the study's settings and under a variant's, and how far these lie apart."""
    body = []
    for name in names:
        usual, other = baseline(profile, name), baseline(profile, f"{name}.{variant}")
        cells = [
            recorded(interval(mine.accuracy()), mine.first.row, profile) for mine in (usual, other)
        ]
        body.append(
            [
                html.escape(get_row(name).title),
                *cells,
                points(other.difference(usual)),
                *(runs_of(mine.accuracy()) for mine in (usual, other)),
            ]
        )
    changed = ", ".join(
        f"{key} = {value}"
        for key, value in get_row(f"{names[0]}.{variant}").overrides.items()
        if key != "seeds"
    )
    header = [
        "source",
        "study's settings, %",
        f"{changed}, %",
        "difference, points",
        "runs",
        "runs of the variant",
    ]
    return table(
        header,
        body,
        f"Top-1 [95 % interval over {over({name: baseline(profile, name) for name in names})}].",
    )


def measure(reference: dict[str, Any], pictures: Tensor, **more: Tensor) -> dict[str, Tensor]:
    """The laws that a variant of ``book/laws.toml`` names, of our pictures uint8 (n, 3, s, s): law → values (n,). ``more``: values of others."""
    return {
        law: more[law] if law in more else metrics.LAWS[law](pictures)
        for law in reference
        if law != "n"
    }


def law_table(
    reference: dict[str, Any],
    measured: dict[str, dict[str, Tensor]],
    theirs: str = "authors' code",
    target: bool = True,
) -> figures.Shown:
    """Laws of the authors' pictures beside ours, with tolerance and a pass mark.

    reference: a family of ``book/laws.toml`` (variant → n and law → quartiles); measured: variant → law → values of our images.
    theirs: whose figures they are, as the column's title. target: whether ours are meant to meet them; if not, there are no marks.
    """
    body, met = [], 0
    for variant, found in measured.items():
        for law, values in found.items():
            quartiles, median = reference[variant][law], float(values.double().median())
            allowed = metrics.tolerance(quartiles, len(values), reference[variant]["n"])
            inside = abs(median - quartiles[1]) <= allowed
            met += inside
            cells = [
                f"{quartiles[1]:g} <small>[{quartiles[0]:g}, {quartiles[2]:g}]</small>",
                f"{median:.4g}",
            ]
            marks = [f"± {allowed:.2g}", "✓" if inside else "✗ outside"] if target else []
            body.append([variant.replace("_", " "), law.replace("_", " "), *cells, *marks])
    counts = ", ".join(
        f"{variant.replace('_', ' ')} {len(next(iter(found.values())))} of {reference[variant]['n']}"
        for variant, found in measured.items()
    )
    header = [
        "set",
        "law",
        f"{theirs}: median [quartiles]",
        "ours: median",
        *(["tolerance", "met"] if target else []),
    ]
    verdict = f"{met} of {len(body)} laws met. " if target else ""
    rule = (
        " Tolerance: three standard errors of the difference of medians plus 2 %." if target else ""
    )
    return table(header, body, f"{verdict}Pictures, ours of theirs: {counts}.{rule}")


def check_table(
    reference: dict[str, Any], measured: dict[str, float], theirs: str = "must be"
) -> figures.Shown:
    """Single figures beside ours, with tolerance and a pass mark.

    reference: a table of ``book/laws.toml``, name → value, tolerance, what. theirs: title of its column: whose figures they are, if they are not identities.
    """
    body = []
    for name, ours in measured.items():
        target = reference[name]
        inside = abs(ours - target["value"]) <= target["tolerance"]
        body.append(
            [
                html.escape(target["what"]),
                f"{target['value']:.4g}",
                f"{ours:.4g}",
                f"± {target['tolerance']:g}",
                "✓" if inside else "✗ outside",
            ]
        )
    return table(
        ["law", theirs, "ours", "tolerance", "met"],
        body,
        f"{sum('✓' in line[-1] for line in body)} of {len(body)} laws met.",
    )


def laws(family: str) -> dict[str, Any]:
    """Laws of a family: a table of ``book/laws.toml``."""
    return tomllib.loads((files.root() / "book" / "laws.toml").read_text(encoding="utf-8"))[family]
