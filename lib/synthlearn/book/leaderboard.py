"""The pages that show committed results alone: ranks, agreement with the paper, the paper's own table, speeds."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

import numpy as np

from ..core import files, stats
from ..core.image import to_tiles
from ..generators import default_options, generator, generator_class, names
from ..study import (
    Experiment,
    Profile,
    Row,
    Runs,
    all_rows,
    claims,
    get_row,
    measuring,
    store,
    units,
)
from ..study import runs as study_runs
from ..study.profiles import defaults
from . import figures
from .chapter import (
    Records,
    claim_table,
    interval,
    over,
    percent,
    points,
    published,
    published_shares,
    published_updates,
    recorded,
    runs_of,
    secondary,
    table,
)

METHODS = {
    "align_uniform": "alignment + uniformity", "simclr": "SimCLR", "supcon": "SupCon", "stablerep": "StableRep", "stablerep_plus": "StableRep+",
    "clip": "CLIP", "supervised": "cross-entropy", "moco": "MoCo v2",
}  # fmt: skip
FAMILIES = {
    "dead_leaves": "dead leaves", "fractals": "fractals", "noise": "plain noise", "baseline": "none", "real": "real images", "statistical": "statistical",
    "stylegan": "random StyleGANs", "feature_vis": "feature visualisations", "mixture": "mixtures", "text2image": "text to image",
    "programs": "random programs", "own": "our own noise",
}  # fmt: skip
TILE_BYTES = 4_000  # of a picture among all generators, before some loss is taken
WATTS = 10  # assumed for one busy core of a server, with its share of the memory
PEER = {
    "ViT-Tiny": "+16 … +24 %",
    "ViT-Base": "−32 … −26 %",
}  # training from generated against stored pictures, its authors' figures
PEER_TITLE = "Formula-Driven Supervised Learning at Scale: Overcoming HPC I/O Bottlenecks with Real-Time CUDA Data Synthesis (PDP 2026)"
WAYS = {
    "memory": "from memory",
    "files": "from PNG files",
    "generated": "generated",
}  # where the pictures of a training come from
CARD_WATTS = 43  # of a run on a GPU: a tenth of the 430 W that the H100 drew while nine to fifteen runs shared it (nvidia-smi, every minute)


def study_profile(profile: Profile) -> Profile:
    """The profile whose committed records a page shows: its own if it is one of the study's, else the one that decides."""
    return profile if profile.is_study else defaults(claims.deciding())


def stored(profile: Profile) -> Records:
    """All committed runs of a profile by row, in the study's order; empty where there is none."""
    found = study_runs.committed(profile.name)
    return {name: found[name] for name in all_rows() if name in found}


def decides(profile: Profile) -> figures.Shown:
    """Which profile's records a page shows, and which others there are."""
    others = [name for name in claims.profiles() if name != profile.name]
    said = f"This page shows the records of profile {profile.name}"
    said += (
        f"; those of {' and '.join(others)} are there too, and profile {claims.deciding()} decides where both have what a claim needs."
        if others
        else "."
    )
    return figures.Shown(f"<p>{said}</p>", said)


def one_protocol(found: Records, profile: Profile) -> Records:
    """The rows that the profile trains by its own settings, whatever their pictures: no variants, no methods of their own."""
    usual = (profile.method, profile.encoder, profile.optimiser)
    own = {name: get_row(name).settings(profile) for name in found if "." not in name}
    return {
        name: found[name] for name, p in own.items() if (p.method, p.encoder, p.optimiser) == usual
    }


def protocol(found: Runs, profile: Profile) -> str:
    """What rows must share to be compared, of a row's runs: method, encoder and number of images where they are not the usual ones, and updates."""
    row = found.row
    p = row.settings(profile)
    if not row.trained:
        return "no training"
    encoder = f", {p.encoder}" * (p.encoder != profile.encoder)
    images = f" on {p.n_images:,} images" * (p.n_images != profile.n_images)
    return f"{METHODS.get(p.method, p.method)}{encoder}, {found[0].updates:,} updates{images}"


def ranked(found: Records) -> Records:
    """The same rows, best first."""
    return dict(sorted(found.items(), key=lambda item: -item[1].accuracy().mean))


def leaderboard(found: Records, profile: Profile) -> figures.Shown:
    """Rows with their method and every measurement, sortable, each with its command."""
    paper, body, command = (
        published(),
        [],
        f"python -m synthlearn run --profile {profile.name} --row",
    )
    for name, mine in found.items():
        row = get_row(name)
        entry = paper.get(row.published or "")
        minutes = np.mean([r.cost.wall_seconds for r in mine]) / 60
        e, seeds = (
            mine.accuracy(),
            ", ".join(str(s) for s in sorted({r.seed for r in mine})),
        )
        body.append([
            f"<span class='dot' style='background:{figures.COLOURS[row.family]}'></span>{html.escape(row.title)}", protocol(mine, profile),
            FAMILIES[row.family], recorded(interval(e), name, profile), runs_of(e), *secondary(mine),
            f"<span class='paper'>◇ {entry['value']}</span>" if entry else "–", f"{minutes:.1f}", f"<code>{command} {html.escape(name)}</code> ({seeds})",
        ])  # fmt: skip
    header = [
        "source",
        "protocol",
        "pictures",
        "fc6 linear, %",
        "runs",
        "fc7",
        "fc6 kNN",
        "fc6, BN re-estimated",
        "the paper's, %",
        "minutes",
    ]
    note = f"Ours: mean over runs [95 % interval over {over(found)}]; each links to its records. A click on a heading sorts."
    filters = ("protocol", "pictures") if len({line[1] for line in body}) > 2 else ("pictures",)
    return table([*header, "command (seeds)"], body, note, sortable=True, filters=filters)


def agreement(found: Records) -> figures.Shown:
    """Spearman correlation of our accuracies with the paper's over the synthetic sets alone, beside the reliability of our own ranks over runs."""
    paper, common = published(), compared(found)
    if len(common) < 3:
        return table(
            ["sets"],
            [[str(len(common))]],
            "Fewer than three synthetic sets with records and a published number: no correlation.",
        )
    ours, theirs = _both(found, common)
    rho, low, high = stats.correlation(ours, theirs)
    certain = stats.reliability([[r.main.top1 for r in found[name]] for name in common])
    ranks = {
        name: (int((ours > a).sum()) + 1, int((theirs > b).sum()) + 1)
        for name, a, b in zip(common, ours, theirs, strict=True)
    }
    body = [[html.escape(get_row(name).title), str(a), str(b), f"{paper[str(get_row(name).published)]['value']}"]
            for name, (a, b) in sorted(ranks.items(), key=lambda item: item[1])]  # fmt: skip
    note = f"Spearman's ρ = {rho:.2f} [{low:.2f}, {high:.2f}] over {len(common)} synthetic sets (95 % bootstrap interval over sets); real images, the random "
    note += f"encoder and pixels are left out, as they would make any order agree. A second study of ours with as many runs would agree by {certain:.2f} "
    note += f"(Spearman–Brown over halves of the runs), so no correlation above {certain**0.5:.2f} can be expected."
    return table(
        ["set", "our rank", "the paper's rank", "the paper's, %"], body, note, sortable=True
    )


def compared(found: Records) -> list[str]:
    """Synthetic sets with two runs or more and a published number."""
    return [
        name
        for name in found
        if get_row(name).kind == "generator"
        and get_row(name).published in published()
        and len(found[name]) > 1
    ]


def _both(found: Records, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Our accuracy and the paper's of some rows."""
    paper = published()
    theirs = [paper[str(get_row(name).published)]["value"] for name in names]
    return np.array([found[name].accuracy().mean for name in names]), np.array(theirs)


def claim_overview() -> figures.Shown:
    """All claims and their verdicts, without the evidence."""
    return claim_table(claims.verdicts(), evidence=False)


def claim_pages(paper: str) -> figures.Shown:
    """The claims of one paper (a key of ``claims.PAPERS``) with all evidence."""
    return claim_table([claim for claim in claims.verdicts() if claim.paper == paper])


def costs(found: Records, profile: Profile) -> figures.Shown:
    """What every row cost, sums over its runs, sortable; and the total."""
    body, total = [], np.zeros(6)
    for name, mine in found.items():
        cost = [r.cost for r in mine]
        wall = sum(c.wall_seconds for c in cost)
        cpu, failed = sum(c.cpu_seconds or 0 for c in cost), sum(c.failed_tries or 0 for c in cost)
        card = sum(r.cost.wall_seconds for r in mine if r.provenance.on_card)
        energy, pictures = (
            (cpu * WATTS + card * CARD_WATTS) / 3600,
            sum(c.images or 0 for c in cost),
        )
        total += (len(mine), pictures, wall, cpu, energy, card)
        parts = [
            _minutes([c.pool_seconds for c in cost]),
            _minutes([c.train_seconds for c in cost]),
            _minutes([c.probe_seconds for c in cost]),
        ]
        numbers = [
            str(sum(r.provenance.on_card for r in mine)),
            *parts,
            f"{wall / 60:.1f}",
            f"{cpu / 60:.1f}",
            f"{energy:.1f}",
            f"{max(c.peak_mb or 0 for c in cost):,}",
            str(failed),
        ]
        command = f"<code>python -m synthlearn run --profile {profile.name} --row {html.escape(name)}</code>"
        body.append(
            [
                html.escape(get_row(name).title),
                str(len(mine)),
                f"{pictures:,}",
                *numbers,
                command,
            ]
        )
    runs, made, wall, cpu, energy, card = total
    note = f"In all {runs:.0f} runs, {made:,.0f} pictures, {(wall - card) / 3600:.1f} hours of runs on a core each and {card / 3600:.1f} hours of runs that "
    note += f"shared a GPU with eight to fourteen others, {cpu / 3600:.1f} processor hours, {energy:.0f} Wh. Energy is an estimate: {WATTS} W for a busy core, "
    note += f"{CARD_WATTS} W for a share of the card. Minutes of pictures, training and probe are means over runs, the rest sums."
    header = [
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
    ]
    return table([*header, "failed tries", "command"], body, note, sortable=True)


def _minutes(seconds: Sequence[float | None]) -> str:
    """Mean over runs in minutes, a dash where the first has none."""
    if seconds[0] is None:
        return "–"
    return f"{np.mean([each or 0.0 for each in seconds]) / 60:.1f}"


def measurement_costs(profile: Profile) -> figures.Shown:
    """What the further measurements took, by kind."""
    body = []
    for what in measuring.plans():
        mine = store.committed_measurements(profile.name, what)
        wall = [r.cost.wall_seconds for r in mine]
        if mine:
            command = (
                f"<code>python -m synthlearn measure --profile {profile.name} --what {what}</code>"
            )
            body.append(
                [
                    what.replace("_", " "),
                    str(len(mine)),
                    f"{np.mean(wall) / 60:.1f}",
                    f"{sum(wall) / 60:.0f}",
                    command,
                ]
            )
    tried = [trial.cost.wall_seconds for trial in store.committed_trials(profile.name)]
    if tried:
        command = f"<code>python -m synthlearn search --profile {profile.name}</code>"
        body.append(
            [
                "search",
                str(len(tried)),
                f"{np.mean(tried) / 60:.1f}",
                f"{sum(tried) / 60:.0f}",
                command,
            ]
        )
    return table(
        ["measurement", "records", "minutes each", "minutes in all", "command"],
        body or [["–"] * 5],
        "Of one core; what is trained for them is above.",
    )


def machines(found: Records) -> figures.Shown:
    """Where and with what the records were made."""
    kinds: dict[tuple[str, ...], int] = {}
    for r in (r for mine in found.values() for r in mine):
        where = r.provenance
        kind = (
            where.device,
            str(where.threads),
            where.python,
            where.torch,
            where.date[:10],
        )
        kinds[kind] = kinds.get(kind, 0) + 1
    body = [[*(html.escape(cell) for cell in kind), str(n)] for kind, n in sorted(kinds.items())]
    return table(
        ["device", "threads of a run", "Python", "torch", "date", "runs"],
        body,
        "Where the runs were made.",
    )


def published_table() -> figures.Shown:
    """The paper's numbers as they are, with what they are."""
    entries: list[dict[str, Any]] = sorted(published().values(), key=lambda e: -e["value"])
    body = [
        [
            html.escape(e["row"]),
            f"<span class='paper'>◇ {e['value']}</span>",
            html.escape(e["kind"]),
            html.escape(e.get("note", "")),
        ]
        for e in entries
    ]
    return table(
        ["the paper's row", "top-1, %", "kind", "note"],
        body,
        "SmallAlexNet at full width, 105,000 images, 200 epochs, ImageNet-100; read off the authors' bar figure, ± 0.2.",
        sortable=True,
    )


def answer(found: Records, profile: Profile) -> figures.Shown:
    """The study's answer in five short lines, from the records: how good, how far, which images, what captions add, how sure."""
    noise = {n: found[n] for n in one_protocol(found, profile) if get_row(n).kind == "generator"}
    if (
        not noise
        or not {
            "random",
            "real",
            "mosaic-named.stablerep",
            "mosaic-named",
            "real.supcon",
            "real.simclr_sharp",
        }
        <= found.keys()
    ):
        return table(
            ["state"],
            [["no committed records yet"]],
            "The study's records are not there: make study PROFILE=cpu.",
        )
    lines = [
        _how_good(found, noise, profile),
        _how_far(found, noise),
        _which(found, noise),
        _what_for(profile),
        _captions(found),
        _how_sure(),
    ]
    lines = [line for line in lines if line]
    return figures.Shown(
        f"<ol class='answer'>{''.join(f'<li>{line}</li>' for line in lines)}</ol>",
        re.sub(r"<[^>]+>", "", " ".join(lines)),
    )


def _how_good(found: Records, noise: Records, profile: Profile) -> str:
    halves, chosen = study_runs.best(noise)
    top = stats.contrast([each.part(w, chosen=True) for w, each in halves])
    floor, real = (found[name].accuracy() for name in ("random", "real"))
    named = " or ".join(html.escape(get_row(name).title) for name in chosen)
    updates = found["real"].first.updates
    said = f"<b>How good?</b> An untrained network {recorded(f'{percent(floor.mean)} %', 'random', profile)}, "
    said += f"the best of {len(noise)} sets of noise {interval(top)} % "
    said += f"({named}; chosen on one half of the runs, taken on the other), real images {recorded(f'{percent(real.mean)} %', 'real', profile)}: "
    return (
        said
        + f"top-1 on CIFAR-10 by a linear classifier, after {updates:,} updates of a small network."
    )


def _how_far(found: Records, noise: Records) -> str:
    share = study_runs.share(noise, found["random"], found["real"])
    shares = published_shares()
    told = ", ".join(
        f"{100 * way:.0f} % of the way to {name}{' at most' if cut else ''}"
        for name, (_, _, way, cut) in shares.items()
    )
    said = f"<b>How far is that?</b> {100 * share[0]:.0f} % <small>[{100 * share[1]:.0f}, {100 * share[2]:.0f}]</small> of the way to real images. "
    said += f"The paper's noise went {told}, after {published_updates():,} updates. "
    return (
        said
        + f"After {found['real'].first.updates:,} our real images have hardly begun to teach: this is a share of a short way."
    )


def _which(found: Records, noise: Records) -> str:
    order = ranked(noise)
    best = next(iter(order))
    close = [
        name
        for name in order
        if name != best and found[best].difference(found[name]).p > stats.LEVEL
    ]
    rho, low, high = stats.correlation(*_both(found, compared(noise)))
    said = f"<b>Which images?</b> {len(close) + 1} of {len(noise)} sets of noise cannot be told from the best of them, by single tests at 5 %: "
    said += f"{'; '.join(html.escape(get_row(name).title) for name in (best, *close))}. The order agrees with the paper's by "
    return (
        said
        + f"ρ = {rho:.2f} <small>[{low:.2f}, {high:.2f}]</small> over {len(compared(noise))} synthetic sets."
    )


def _what_for(profile: Profile) -> str:
    gaps = units.closest(claims.known(profile.name).measured.get("transfer", {}))
    if not gaps:
        return ""
    told = ", ".join(f"{group} {points(gap)}" for group, (gap, _) in gaps.items())
    return f"<b>What for?</b> On other tasks, real images − the best noise, in points of gain over chance: {told}; over encoders and images."


def _captions(found: Records) -> str:
    pairs = (("mosaic-named.stablerep", "mosaic-named"), ("real.supcon", "real.simclr_sharp"))
    several, labels = (found[a].difference(found[b]) for a, b in pairs)
    said = f"<b>What do captions add?</b> Several samples of a caption as positives teach {points(several)} points more than two views of a sample where "
    said += f"captions name the class; on real images the same labels, used directly (SupCon), teach {points(labels)} more than two views"
    if {"mosaic-colour.stablerep", "mosaic-colour"} <= found.keys():
        said += f"; where captions tell the colour alone, {points(found['mosaic-colour.stablerep'].difference(found['mosaic-colour']))}"
    return (
        said
        + ". The generator here recombines real images; one that has seen billions is not tested."
    )


def _how_sure() -> str:
    words = [claim.verdict for claim in claims.verdicts()]
    total = ", ".join(f"{words.count(word)} {word}" for word in claims.VERDICTS if word in words)
    return f"<b>How sure?</b> Of {len(words)} claims: {total}. <a href='91_claims.html'>Each with its evidence</a>."


def generator_speeds() -> dict[str, float]:
    """Pictures per second at 128 px by set, from the committed benchmarks."""
    return {
        row["what"]: row["ours"][1] for machine in measurements() for row in machine.get("rows", ())
    }


def thumbnails(found: Records, profile: Profile, size: int = 56) -> figures.Shown:
    """Every generator as a thumbnail, as the profile makes it, on an axis of accuracy, best first; the random encoder and real images as lines."""
    mine = one_protocol(found, profile)
    shown = {
        name: records_.accuracy()
        for name, records_ in mine.items()
        if get_row(name).kind in ("generator", "text2image")
    }
    bounds: dict[str, stats.Estimate] = {
        name: found[name].accuracy() for name in ("random", "real") if name in found
    }
    if not shown or len(bounds) < 2:
        return table(
            ["state"],
            [["no committed records yet"]],
            "The study's records are not there: make study PROFILE=cpu.",
        )
    every = {**shown, **bounds}
    least, largest = min(e.low for e in every.values()), max(e.high for e in every.values())

    def x(value: float) -> float:
        return 100 * (value - least) / (largest - least)

    def label(name: str, e: stats.Estimate) -> str:
        side = (
            f"right:calc({100 - x(e.low):.1f}% + 0.7rem)"
            if x(e.mean) > 45
            else f"left:calc({x(e.high):.1f}% + 0.7rem)"
        )
        said = f"<b>{percent(e.mean)} %</b> [{percent(e.low)}, {percent(e.high)}]"
        return f"<span style='{side}'>{html.escape(get_row(name).title)}<br>{recorded(said, name, study_profile(profile))}</span>"

    lines = []
    for name, e in bounds.items():
        lines.append(
            f"<div class='bound' style='left:{x(e.mean):.1f}%'></div><div class='line heading'>{label(name, e)}</div>"
        )
    for name, e in sorted(shown.items(), key=lambda item: -item[1].mean):
        picture = figures.image_tag(
            Experiment(get_row(name), profile, 0)
            .source()
            .sample([3], size, 0, "cpu")[0]
            .permute(1, 2, 0)
            .numpy(),
            get_row(name).title,
        )
        bar = f"<div class='interval' style='left:{x(e.low):.1f}%;width:{x(e.high) - x(e.low):.1f}%'></div>"
        lines.append(
            f"<div class='line'>{bar}<div class='source' style='left:{x(e.mean):.1f}%'>{picture}</div>{label(name, e)}</div>"
        )
    said = ", ".join(f"{get_row(name).title} {percent(e.mean)} %" for name, e in every.items())
    alt = f"Sources on an axis of accuracy: {said}."
    return figures.Shown(
        f'<figure class="synthlearn"><div class="axis" role="img" aria-label="{html.escape(alt)}">{"".join(lines)}</div></figure>',
        alt,
    )


def gallery(found: Records, profile: Profile, n: int = 5, size: int = 96) -> figures.Shown:
    """Every generator: a tile that tells on hover or tap, and below a sheet of ``n`` pictures as the profile makes them, what it is, its accuracy if
    it is a row, and its measured speed."""
    speeds = generator_speeds()
    tiles, sheets = [], []
    for name, row in _shown_generators():
        source = Experiment(row, profile, 0).source() if row else generator(name)
        label = row.title if row else name
        what = (generator_class(name).__doc__ or "").strip().splitlines()[0].replace("``", "")
        accuracy = (
            f"{interval(found[row.name].accuracy())} %"
            if row and row.name in found
            else "no row in the study"
            if row is None
            else "no record yet"
        )
        told = [accuracy] + (
            [f"{speeds[name]:,.0f} pictures/s at 128 px"] if name in speeds else []
        )
        pictures = source.sample(range(n), size, 0, "cpu")
        chapter = f"<a href='{html.escape(row.chapter)}.html'>chapter</a>" if row else ""
        image = figures.image_tag(to_tiles(pictures, n).numpy(), f"{n} pictures of {label}")
        title = " · ".join(
            filter(
                None,
                (f"<b>{html.escape(label)}</b> <code>{html.escape(name)}</code>", *told, chapter),
            )
        )
        anchor = html.escape(f"set-{row.name if row else name}")
        sheets.append(
            f"<figure class='synthlearn' id='{anchor}'>{image}<figcaption>{title}<br>{html.escape(what)}</figcaption></figure>"
        )
        tile = figures.image_tag(
            pictures[0].permute(1, 2, 0).numpy(), f"a picture of {label}", most=TILE_BYTES
        )
        tiles.append(
            f"<a href='#{anchor}'>{tile}<span><b>{html.escape(label)}</b><br>{'<br>'.join(told)}</span></a>"
        )
    alt = f"Tiles and sheets of {len(sheets)} generators with accuracy and speed."
    return figures.Shown(f"<div class='glance'>{''.join(tiles)}</div>{''.join(sheets)}", alt)


def _shown_generators() -> list[tuple[str, Row | None]]:
    """Registered generators with their rows: one with several rows is there for each, one without a row once unless it needs options."""
    shown: list[tuple[str, Row | None]] = []
    for name in (name for name in names() if name != "text2image"):  # it needs a model
        mine = [
            row
            for row in all_rows().values()
            if row.kind == "generator" and not row.is_variant and row.source_name == name
        ]
        shown += [(name, row) for row in mine] or (
            [] if MISSING in default_options(name).values() else [(name, None)]
        )
    return shown


def measurements() -> list[dict[str, Any]]:
    """The committed benchmark files, one per machine."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((files.root() / "results" / "benchmarks").glob("*.json"))
    ]


def benchmark_figures() -> figures.Shown:
    """Ratios to the reference loops on a logarithmic axis, a panel per machine."""
    found = [machine for machine in measurements() if "rows" in machine]
    if not found:
        return table(["state"], [["no committed measurement yet"]], "make bench")
    colours = {
        "dead_leaves": "dead_leaves",
        "fractals": "fractals",
        "noise": "noise",
        "stat": "statistical",
        "stylegan": "stylegan",
    }
    shown = []
    for machine in found:
        figure, axis = figures.new(height=0.36 * len(machine["rows"]) + 1)
        for i, row in enumerate(machine["rows"]):
            colour = figures.COLOURS[colours.get(row["what"].split("-")[0], "real")]
            low, middle, high = row["ratio"]
            axis.plot([low, high], [i, i], color=colour, linewidth=2.5)
            axis.plot(middle, i, "o", color=colour, markersize=8)
            if row["goal"]:
                axis.plot(row["goal"], i, "|", color=figures.INK, markersize=14)
        axis.axvline(1, color=figures.INK, linewidth=1, alpha=0.6)
        axis.set_xscale("log")
        axis.set_yticks(range(len(machine["rows"])), [row["what"] for row in machine["rows"]])
        axis.invert_yaxis()
        axis.set_xlabel(
            f"times as fast as the reference loop, {machine['device']}, {machine['threads']} threads"
        )
        said = "; ".join(
            f"{row['what']} {row['ratio'][1]:.3g} times {row['against']}" for row in machine["rows"]
        )
        shown.append(
            figures.svg(
                figure,
                f"Speed ratios on {machine['device']}: {said}.",
                "Marks: median over turns; bars: least to largest; ticks: goals.",
            )
        )
    return figures.Shown("".join(s.content for s in shown), " ".join(s.alt for s in shown))


def benchmark_tables() -> figures.Shown:
    """All measurements with their spread."""
    shown = []
    for machine in measurements():
        body = []
        for row in machine.get("rows", ()):
            low, middle, high = row["ratio"]
            goal = (
                "–"
                if row["goal"] is None
                else f"{row['goal']:g} × {'✓' if middle >= row['goal'] else '✗ missed'}"
            )
            ratio = f"{middle:.3g} × <small>[{low:.3g}, {high:.3g}]</small>"
            needs = (
                "–"
                if row.get("memory_mb") is None
                else f"{row['memory_mb']:,}"
                if row["memory_mb"]
                else "below 1"
            )
            body.append(
                [
                    html.escape(row["what"]),
                    f"{row['ours'][1]:,.0f}",
                    f"<code>{html.escape(row['against'])}</code> {row['reference'][1]:,.1f}",
                    ratio,
                    goal,
                    needs,
                ]
            )
        if step := machine.get("training"):  # of older files; later ones have it in their engine
            share = f"{100 * step['share_of_peak']:.0f} % of a matrix product's {step['matmul_peak'] / 1e9:,.0f} GFLOP/s"
            body.append(
                [
                    html.escape(step["what"]),
                    f"{step['views_per_second'][1]:,.0f} views",
                    "–",
                    share,
                    "–",
                    "–",
                ]
            )
        if not body:
            continue
        where = f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}, {machine['date']}, commit {machine['commit']}; pictures of 128 px."
        shown.append(
            table(
                [
                    "what",
                    "ours, per second",
                    "reference, per second",
                    "ratio [least, largest]",
                    "goal",
                    "memory of ours, MB",
                ],
                body,
                where,
            )
        )
    return figures.Shown("".join(s.content for s in shown), " ".join(s.alt for s in shown))


def cards() -> list[dict[str, Any]]:
    """The machines whose engine was measured on a GPU, the latest first."""
    found = [
        machine
        for machine in measurements()
        if machine.get("engine") and machine["engine_from"]["kind"] == "cuda"
    ]
    return sorted(found, key=lambda machine: machine["engine_from"]["date"], reverse=True)


def on_a_card(what: str) -> tuple[dict[str, Any], str] | None:
    """The measurement that begins so, of the latest GPU that has it, and the GPU's name."""
    for machine in cards():
        for entry in machine["engine"]:
            if entry["value"] is not None and entry["what"].startswith(what):
                return entry, machine["engine_from"]["device"]
    return None


def engine_tables() -> figures.Shown:
    """Training, generation and measurement against the hardware, a table per machine; GPUs first."""
    header = ["what", "measured", "goal", "floor", "share of the floor", "memory, MB"]
    gpus = cards()
    shown = (
        []
        if gpus
        else [
            table(
                header,
                [["all", "not measured yet", *["–"] * 4]],
                "A GPU: python -m benchmarks --card.",
            )
        ]
    )
    for machine in gpus + [m for m in measurements() if m.get("engine") and m not in gpus]:
        of = machine["engine_from"]
        caption = f"{of['device']}, torch {of['torch']}, {of['date']}, commit {of['commit']}; medians after warming up."
        shown.append(table(header, [_engine_line(entry) for entry in machine["engine"]], caption))
    return figures.Shown("".join(s.content for s in shown), " ".join(s.alt for s in shown))


def _engine_line(entry: dict[str, Any]) -> list[str]:
    """A measurement's cells; of one that failed, why."""
    what = html.escape(entry["what"])
    if entry["value"] is None:
        return [what, f"<small>{html.escape(entry['error'])}</small>", *["–"] * 4]
    goal = (
        "–"
        if entry["goal"] is None
        else f"{_digits(entry['goal'])} {'✓' if entry['met'] else '✗ missed'}"
    )
    floor, share = (
        ("–", "–")
        if entry["floor"] is None
        else (_digits(entry["floor"]), f"{100 * entry['share']:.2g} %")
    )
    memory = "–" if entry["memory_mb"] is None else f"{entry['memory_mb']:,}"
    return [
        what,
        f"{_digits(entry['value'])} {html.escape(entry['unit'])}",
        goal,
        floor,
        share,
        memory,
    ]


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def stored_table() -> figures.Shown:
    """Training from generated pictures against stored ones, in images per second, beside a peer's figures."""
    found = {
        (e["model"], e["way"]): e["value"]
        for m in reversed(cards())
        for e in m["engine"]
        if e["value"] is not None and "way" in e
    }
    body = []
    for model in dict.fromkeys([*(model for model, _ in found), *PEER]):
        speeds = [found.get((model, way)) for way in WAYS]
        gains = [_gain(speeds[-1], speed) for speed in reversed(speeds[:-1])]
        told = ["not measured yet" if speed is None else f"{speed:,.0f}" for speed in speeds]
        body.append(
            [
                html.escape(model),
                *told,
                *gains,
                f"<span class='paper'>◇ {PEER[model]}</span>" if model in PEER else "–",
            ]
        )
    header = [
        "model",
        *WAYS.values(),
        "generated against files",
        "generated against memory",
        "a peer's, generated against stored",
    ]
    where = f"{cards()[0]['engine_from']['device']}: dead leaves" if cards() else "Dead leaves"
    note = f"{where} of 128 px, images per second of training; views are cut on the card in all three. Files are read by worker processes, "
    note += f"and the system keeps them in memory once they have been read. ◇ Of VisualAtom pictures, on other hardware: {PEER_TITLE}."
    return table(header, body, note)


def _gain(speed: float | None, other: float | None) -> str:
    return (
        "–"
        if speed is None or other is None
        else f"{100 * (speed / other - 1):+.0f} %".replace("-", "−")
    )
