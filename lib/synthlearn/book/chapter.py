"""What a chapter shows of its rows: tables, verdicts, provenance; all computed from records."""

import html
import itertools
import json
import time
import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .. import datasets, files, metrics, stats
from ..errors import DataError
from ..study import Profile, claims, inference, rows, run
from ..study.inference import difference, estimate, metric
from ..study.profiles import is_study
from ..study.rows import row as row_by_name
from . import figures

_began = time.perf_counter()
KEY = "Filled: ours, with 95 % intervals; dashed line: the random encoder; dotted: chance. Hollow: the paper's, on its own axis above."
SHOWN_PAIRS = 4  # of a claim's comparisons; more are folded away
SECONDARY = ("fc7_linear", "fc6_knn", "fc6_linear_bn")
Records = dict[str, list[dict[str, Any]]]


def published(path: str = "book/published.json") -> dict[str, dict[str, Any]]:
    """The paper's numbers by row: value in per cent, protocol, source mark."""
    return {entry["row"]: entry for entry in json.loads((files.root() / path).read_text(encoding="utf-8"))["rows"]}


def table(header: Sequence[str], body: Sequence[Sequence[str]], caption: str = "", sortable: bool = False, filters: Sequence[str] = ()) -> figures.Shown:
    """An HTML table; cells may hold markup, so callers escape what is not theirs. ``filters``: headings whose values a reader may choose from.

    Raises: ValueError if a line has not one cell per heading."""
    for line in body:
        if len(line) != len(header):
            raise ValueError(f"a table's line has {len(line)} cells under {len(header)} headings: {line[0]}")
    head = "".join(f"<th scope='col'{' data-filter' * (h in filters)}>{h}</th>" for h in header)
    lines = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in line) + "</tr>" for line in body)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    kind = "synthlearn sortable" if sortable else "synthlearn"
    return figures.Shown(f'<div class="scroll"><table class="{kind}">{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>', caption)


def percent(x: float) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * x:.1f}"


def interval(e: stats.Estimate) -> str:
    """Mean and 95 % interval in per cent."""
    return f"{percent(e.mean)} <small>[{percent(e.low)}, {percent(e.high)}]</small>"


def recorded(text: str, name: str, profile: Profile) -> str:
    """A number or title of a row as a link to the list of records, where these are committed."""
    return f"<a class='number' href='94_records.html#{name}'>{text}</a>" if profile.name == "cpu" and is_study(profile) else text


def points(e: stats.Estimate) -> str:
    """A difference and its interval in percentage points."""
    return f"{100 * e.mean:+.1f} <small>[{100 * e.low:+.1f}, {100 * e.high:+.1f}]</small>"


def baseline(profile: Profile, name: str = "random") -> list[dict[str, Any]]:
    """Runs of another chapter's row that this one compares with."""
    row = row_by_name(name)
    return run.runs(row, profile) or [run.record(row, profile, seed) for seed in range(row.profile(profile).seeds)]


def secondary(found: Sequence[dict[str, Any]]) -> list[str]:
    """Cells of the further measurements, a dash where a row has none."""
    return [interval(estimate(found, name)) if name in found[0]["results"] else "–" for name in SECONDARY]


def results(found: Records, profile: Profile) -> figures.Shown:
    """Our accuracy and its gain over the random encoder, with intervals, beside the paper's number."""
    paper, random = published(), found.get("random") or baseline(profile)
    body = []
    for name, mine in found.items():
        row, e = row_by_name(name), estimate(mine)
        gain = difference(mine, random)
        entry = paper.get(row.published or "")
        cells = [html.escape(row.title), recorded(interval(e), name, profile), "–" if name == "random" else points(gain)]
        body.append([*cells, *secondary(mine), str(e.runs), f"<span class='paper'>◇ {entry['value']}</span>" if entry else "–"])
    n = metric(next(iter(found.values()))[0])["n"]
    return table(
        ["source", "fc6 linear, %", "gain over random", "fc7", "fc6 kNN", "fc6, BN re-estimated", "runs", "the paper's, %"],
        body,
        f"Ours: top-1 on {n:,} test images of {profile.data}, mean over runs [95 % interval: runs and images]. "
        "The paper's: ImageNet-100, full scale, read off a figure (± 0.2).",
    )


def gains(found: Records, profile: Profile) -> figures.Shown:
    """Gain over the random encoder by every measurement."""
    random, body = found.get("random") or baseline(profile), []
    for name, mine in found.items():
        for measurement in (inference.PRIMARY, *SECONDARY):
            if name != "random" and measurement in mine[0]["results"]:
                e = difference(mine, random, measurement)
                body.append([html.escape(row_by_name(name).title), measurement.replace("_", " "), points(e), str(len(mine)), str(len(random))])
    header = ["source", "measurement", "gain over random, points", "runs", "runs of random"]
    return table(header, body, f"95 % intervals over {over(found)}.")


def over(found: Records) -> str:
    """What the intervals of some rows are over."""
    kinds = dict.fromkeys(estimate(mine).over for mine in found.values())
    return " or ".join(kinds) + (" alone, as nothing is known of how far runs lie apart" if list(kinds) == ["images"] else "")


def accuracy_figure(found: Records, profile: Profile) -> figures.Shown:
    """The same numbers as a picture."""
    paper, lines = published(), []
    for name, mine in found.items():
        row, e = row_by_name(name), estimate(mine)
        value = paper[row.published]["value"] if row.published else None
        lines.append({"label": row.title, "family": row.family, "mean": e.mean, "low": e.low, "high": e.high, "published": value})
    floor = estimate(found.get("random") or baseline(profile)).mean
    said = "; ".join(f"{row_by_name(name).title} {percent(estimate(mine).mean)} %" for name, mine in found.items())
    return figures.accuracies(lines, floor, chance(profile.data), f"Accuracy with intervals. {said}; random encoder {percent(floor)} %.", KEY)


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
    return {name: (figures.COLOURS[row_by_name(name).family], row_by_name(name).title) for name in found}


def training(found: Records) -> figures.Shown:
    """Loss and its terms over training, for the rows that were trained: the terms that all of them have."""
    trained = {name: mine for name, mine in found.items() if mine[0]["curves"]}
    terms = [term for term in ("loss", "align", "uniform", "above_floor") if all(term in mine[0]["curves"] for mine in trained.values())]
    lines = dict(zip(trained, itertools.cycle(figures.LINES), strict=False))  # a chapter's rows are one family: its colour would not tell them apart
    last = "; ".join(f"{row_by_name(name).title} ends at loss {np.mean([r['curves']['loss'][-1] for r in mine]):.2f}" for name, mine in trained.items())
    return figures.curves(
        trained,
        terms,
        {name: (lines[name], row_by_name(name).title) for name in trained},
        f"Training curves. {last}.",
        "Training: the loss and its terms, mean over seeds.",
    )


def first_layer(found: Records, **more: list[dict[str, Any]]) -> figures.Shown:
    """First-layer filters of seed 0 of each row."""
    shown = {row_by_name(name).title: run.read_filters(mine[0]) for name, mine in {**found, **more}.items() if "filters" in mine[0]}
    return figures.filters(shown, f"First-layer filters of {', '.join(shown)}.", "First-layer filters after training, each stretched to its own range.")


def verdicts(chapter: str, found: Records, profile: Profile, measured: Records | None = None) -> figures.Shown:
    """The paper's claims that this chapter tests, with the evidence; of a claim, the comparisons that involve the chapter's own rows.

    Rows of other chapters enter if their records are there; only the random encoder is run for the purpose. ``measured``: the further
    measurements that the chapter shows, by kind, for claims over those.
    """
    told, known = [], {"random": baseline(profile), **found}
    for claim in claims.read():
        mine = [rule for rule in claim.get("compare", ()) if any(side.strip() in found for side in rule.split(">"))]
        if chapter in claim["chapters"] and (mine or (measured and not claim.get("compare"))):
            told.append({**claim, "compare": mine})
    wanted = {side.strip() for claim in told for kind in ("compare", "control") for rule in claim.get(kind, ()) for side in rule.split(">")}
    for name in wanted & rows().keys() - known.keys():
        row = row_by_name(name)
        if all(run.state(row, profile, seed) == "fresh" for seed in range(row.profile(profile).seeds)):
            known[name] = baseline(profile, name)
    return claim_table(claims.evaluate(told, [r for mine in known.values() for r in mine], measured), profile)


def claim_table(judged: Sequence[claims.Claim], profile: Profile, evidence: bool = True) -> figures.Shown:
    """Claims with source and verdict, and the evidence if it is wanted."""
    body = []
    for claim in judged:
        pairs = [html.escape(f.text) for f in claim.findings]
        pairs += [
            f"{'<i>control</i> ' * c.control}{recorded(html.escape(c.a), c.a, profile)} − {recorded(html.escape(c.b), c.b, profile)}: "
            f"{points(c.difference) if c.difference else 'no record'}"
            for c in claim.comparisons
        ]
        seeds = str(min((c.difference.seeds for c in claim.comparisons if c.difference), default="–" if claim.findings else 0))
        mark = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not tested": "–"}[claim.verdict]
        told = f"{html.escape(claim.text)}<br><small>{html.escape(claim.source)}</small>"
        verdict = f"<b class='{claim.verdict.replace(' ', '-')}'>{mark} {claim.verdict}</b>"
        shown, given = "<br>".join(pairs), [c.verdict for c in claim.comparisons] + [f.verdict for f in claim.findings]
        counts = ", ".join(f"{given.count(word)} {word}" for word in claims.VERDICTS if word in given)
        if not evidence and len(pairs) > 1:
            verdict += f"<br><small>of {len(pairs)}: {counts}</small>"
        if len(pairs) > SHOWN_PAIRS:
            shown = f"<details><summary>{len(pairs)} comparisons: {counts}</summary>{shown}</details>"
        body.append([told, verdict, *([shown] if evidence else []), seeds])
    smoke = "the smoke profile: tiny runs that only show that the path works; no verdict stands on them"
    note = smoke if profile.name == "smoke" else f"profile {profile.name}"
    header = ["claim", "verdict", *(["evidence: difference in points, 95 % interval"] if evidence else []), "seeds"]
    verdicts = [claim.verdict for claim in judged]
    total = ", ".join(f"{verdicts.count(word)} {word}" for word in claims.VERDICTS if word in verdicts)
    return table(header, body, f"{len(judged)} claims: {total}. Computed from the records by Holm's rule over this table; {note}.")


def provenance(profile: Profile, found: Records) -> figures.Shown:
    """One line: profile, commit, code, device, versions, wall time, seeds."""
    flat = [r for mine in found.values() for r in mine]

    def every(field: str) -> str:
        return ", ".join(sorted({r["provenance"][field] for r in flat})) or "–"

    parts = {
        "profile": profile.name,
        "data": profile.data,
        "page made at commit": run.commit(),
        "records by code": ", ".join(sorted({r["provenance"]["code"][:10] for r in flat})),
        "device": every("device"),
        "Python": every("python"),
        "torch": every("torch"),
        "runs": f"{len(flat)} in {sum(r['cost']['wall_seconds'] for r in flat) / 60:.1f} min",
        "seeds": ", ".join(str(s) for s in sorted({r["spec"]["seed"] for r in flat})),
        "this page": f"{time.perf_counter() - _began:.0f} s",
    }
    line = " · ".join(f"{name} {value}" for name, value in parts.items())
    return figures.Shown(f'<p class="provenance">{html.escape(line)}</p>', line)


def sensitivity(profile: Profile, names: Sequence[str], variant: str) -> figures.Shown:
    """Accuracy of some rows under the study's settings and under a variant's, seed 0 of each."""
    body = []
    for name in names:
        usual, other = (metric(run.record(row_by_name(n), profile, 0)) for n in (name, f"{name}.{variant}"))
        body.append(
            [
                html.escape(row_by_name(name).title),
                *(f"{percent(m['top1'])} <small>[{percent(m['low'])}, {percent(m['high'])}]</small>" for m in (usual, other)),
            ]
        )
    changed = ", ".join(f"{key} = {value}" for key, value in row_by_name(f"{names[0]}.{variant}").overrides if key != "seeds")
    return table(["source", "study's settings, %", f"{changed}, %"], body, "Top-1 with Wilson intervals over test images, one seed each.")


def measure(reference: dict[str, Any], pictures: Tensor, **more: Tensor) -> dict[str, Tensor]:
    """The laws that a variant of ``book/laws.toml`` names, of our pictures uint8 (n, 3, s, s): law → values (n,). ``more``: values of others."""
    return {law: more[law] if law in more else metrics.LAWS[law](pictures) for law in reference if law != "n"}


def law_table(reference: dict[str, Any], measured: dict[str, dict[str, Tensor]], theirs: str = "authors' code", target: bool = True) -> figures.Shown:
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
            cells = [f"{quartiles[1]:g} <small>[{quartiles[0]:g}, {quartiles[2]:g}]</small>", f"{median:.4g}"]
            marks = [f"± {allowed:.2g}", "✓" if inside else "✗ outside"] if target else []
            body.append([variant.replace("_", " "), law.replace("_", " "), *cells, *marks])
    counts = ", ".join(f"{variant.replace('_', ' ')} {len(next(iter(found.values())))} of {reference[variant]['n']}" for variant, found in measured.items())
    header = ["set", "law", f"{theirs}: median [quartiles]", "ours: median", *(["tolerance", "met"] if target else [])]
    verdict = f"{met} of {len(body)} laws met. " if target else ""
    rule = " Tolerance: three standard errors of the difference of medians plus 2 %." if target else ""
    return table(header, body, f"{verdict}Pictures, ours of theirs: {counts}.{rule}")


def check_table(reference: dict[str, Any], measured: dict[str, float], theirs: str = "published") -> figures.Shown:
    """Single figures beside ours, with tolerance and a pass mark. reference: a table of ``book/laws.toml``, name → value, tolerance, what."""
    body = []
    for name, ours in measured.items():
        target = reference[name]
        inside = abs(ours - target["value"]) <= target["tolerance"]
        body.append([target["what"], f"{target['value']:.4g}", f"{ours:.4g}", f"± {target['tolerance']:g}", "✓" if inside else "✗ outside"])
    return table(["law", theirs, "ours", "tolerance", "met"], body, f"{sum('✓' in line[-1] for line in body)} of {len(body)} laws met.")


def laws(family: str) -> dict[str, Any]:
    """Laws of a family: a table of ``book/laws.toml``."""
    return tomllib.loads((files.root() / "book" / "laws.toml").read_text(encoding="utf-8"))[family]
