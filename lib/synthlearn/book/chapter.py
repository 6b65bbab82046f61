"""What a chapter shows of its rows: tables, verdicts, provenance; all computed from records."""

import html
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import files, stats
from ..study import Profile, claims, records, rows, run
from ..study.rows import row as row_by_name
from . import figures

_began = time.perf_counter()
PROTOCOL = "linear probe on frozen fc6"
Records = dict[str, list[dict[str, Any]]]


def published(path: str = "book/published.json") -> dict[str, dict[str, Any]]:
    """The paper's numbers by row: value in per cent, protocol, source mark."""
    return {entry["row"]: entry for entry in json.loads((files.root() / path).read_text(encoding="utf-8"))["rows"]}


def table(header: Sequence[str], body: Sequence[Sequence[str]], caption: str = "", sortable: bool = False) -> figures.Shown:
    """An HTML table; cells may hold markup, so callers escape what is not theirs."""
    head = "".join(f"<th scope='col'>{h}</th>" for h in header)
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


def baseline(profile: Profile, name: str = "random") -> list[dict[str, Any]]:
    """Records of another chapter's row that this one compares with."""
    row = row_by_name(name)
    return [run.record(row, profile, seed) for seed in range(row.profile(profile).seeds)]


def estimate(found: Sequence[dict[str, Any]]) -> stats.Estimate:
    """Mean top-1 of one row over its seeds, with its interval."""
    return stats.bootstrap(claims.outcomes(found))


def results(found: Records, profile: Profile) -> figures.Shown:
    """Our accuracy and its gain over the random encoder, with intervals, beside the paper's number."""
    paper, random = published(), {r["spec"]["seed"]: r for r in baseline(profile)}
    body = []
    for name, mine in found.items():
        row, e = row_by_name(name), estimate(mine)
        gain = claims.difference({r["spec"]["seed"]: r for r in mine}, random)
        entry = paper.get(row.published or "")
        others = [
            f"{percent(np.mean([r['results'][m]['top1'] for r in mine]))}" if m in mine[0]["results"] else "–"
            for m in ("fc7_linear", "fc6_knn", "fc6_linear_bn")
        ]
        cells = [
            html.escape(row.title),
            interval(e),
            "–" if name == "random" else f"{gain.mean * 100:+.1f} <small>[{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]</small>",
        ]
        body.append([*cells, *others, str(e.seeds), f"<span class='paper'>◇ {entry['value']}</span>" if entry else "–"])
    first = next(iter(found.values()))[0]["results"]
    n = (first.get(claims.PRIMARY) or first["linear"])["n"]
    return table(
        ["source", "fc6 linear, %", "gain over random", "fc7", "fc6 kNN", "fc6, BN re-estimated", "seeds", "the paper's, %"],
        body,
        f"Ours: top-1 on {n:,} test images of {profile.data}, mean over seeds [95 % interval: seeds × images]. The paper's: ImageNet-100, full scale, read off a figure (± 0.2).",
    )


def accuracy_figure(found: Records, profile: Profile) -> figures.Shown:
    """The same numbers as a picture."""
    paper, lines = published(), []
    for name, mine in found.items():
        row, e = row_by_name(name), estimate(mine)
        value = paper[row.published]["value"] if row.published else None
        lines.append({"label": row.title, "family": row.family, "mean": e.mean, "low": e.low, "high": e.high, "published": value})
    floor, classes = estimate(baseline(profile)).mean, 10 if profile.data == "digits" or profile.data.startswith("cifar10") else 100
    said = "; ".join(f"{line['label']} {percent(line['mean'])} %" for line in lines)
    return figures.accuracies(lines, floor, 1 / classes, f"Accuracy with intervals. {said}; random encoder {percent(floor)} %.")


def styles(found: Records) -> dict[str, tuple[str, str]]:
    """Colour and label of each row."""
    return {name: (figures.COLOURS[row_by_name(name).family], row_by_name(name).title) for name in found}


def training(found: Records) -> figures.Shown:
    """Loss and its two terms over training, for the rows that were trained."""
    trained = {name: mine for name, mine in found.items() if mine[0]["curves"]}
    last = "; ".join(f"{row_by_name(name).title} ends at loss {np.mean([r['curves']['loss'][-1] for r in mine]):.2f}" for name, mine in trained.items())
    return figures.curves(
        trained, ("loss", "align", "uniform"), styles(trained), f"Training curves. {last}.", "Training: the loss and its two terms, mean over seeds."
    )


def first_layer(found: Records, **more: list[dict[str, Any]]) -> figures.Shown:
    """First-layer filters of seed 0 of each row."""
    shown = {row_by_name(name).title: run.read_filters(mine[0]) for name, mine in {**found, **more}.items() if "filters" in mine[0]}
    return figures.filters(shown, f"First-layer filters of {', '.join(shown)}.", "First-layer filters after training, each stretched to its own range.")


def verdicts(chapter: str, found: Records, profile: Profile) -> figures.Shown:
    """The paper's claims that this chapter tests, with the evidence."""
    told = [claim for claim in claims.read() if chapter in claim["chapters"]]
    named = {side.strip() for claim in told for rule in claim["compare"] for side in rule.split(">")}
    known = {name: mine for name, mine in found.items()}
    for name in sorted(named - known.keys()):
        if name in rows():
            known[name] = baseline(profile, name)
    return claim_table(claims.evaluate(told, [r for mine in known.values() for r in mine]), profile)


def claim_table(judged: Sequence[claims.Claim], profile: Profile) -> figures.Shown:
    """Claims with verdict and evidence."""
    body = []
    for claim in judged:
        evidence = "<br>".join(
            f"{html.escape(c.a)} − {html.escape(c.b)}: " + ("no record" if c.difference is None else f"{100 * c.difference.mean:+.1f} <small>[{100 * c.difference.low:+.1f}, {100 * c.difference.high:+.1f}], {c.difference.seeds} seed{'s' * (c.difference.seeds > 1)}</small>")
            for c in claim.comparisons
        )  # fmt: skip
        mark = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not tested": "–"}[claim.verdict]
        body.append([html.escape(claim.text), f"<b class='{claim.verdict.replace(' ', '-')}'>{mark} {claim.verdict}</b>", evidence])
    note = (
        "this is the smoke profile: tiny runs that only show that the path works; no verdict stands on them"
        if profile.name == "smoke"
        else f"profile {profile.name}"
    )
    return table(
        ["claim", "verdict", "evidence: difference in points, 95 % interval"], body, f"Computed from the records by Holm's rule over this table; {note}."
    )


def provenance(profile: Profile, found: Records) -> figures.Shown:
    """One line: profile, commit, code, device, versions, wall time, seeds."""
    flat = [r for mine in found.values() for r in mine]
    source = flat[0]["provenance"] if flat else {}
    wall = sum(r["cost"]["wall_seconds"] for r in flat)
    parts = [
        f"profile {profile.name}", f"data {profile.data}", f"page made at commit {run.commit()}", f"records: code {', '.join(sorted({r['provenance']['code'][:10] for r in flat}))}",
        f"device {source.get('device', '–')}", f"Python {source.get('python', '–')}, torch {source.get('torch', '–')}", f"{len(flat)} runs in {wall / 60:.1f} min",
        f"seeds {sorted({r['spec']['seed'] for r in flat})}", f"this page in {time.perf_counter() - _began:.0f} s",
    ]  # fmt: skip
    return figures.Shown(f'<p class="provenance">{html.escape(" · ".join(parts))}</p>', " · ".join(parts))


def stored(profile: str) -> Records:
    """All committed records of a profile, by row."""
    table: Records = {}
    for r in records.read_all(profile):
        table.setdefault(r["row"], []).append(r)
    return {name: table[name] for name in rows() if name in table}
