"""What the chapters on methods, measurement and ablations show: variants beside their row, and the further measurements."""

import html
import itertools
import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np
import torch
from matplotlib.axes import Axes

from ..core import intervals, stats
from ..generators.feature_vis import visualise
from ..learn import losses
from ..learn.encoders import OUTPUT
from ..measure.fine_tuning import FineTunedAccuracy
from ..study import (
    Experiment,
    Profile,
    Row,
    Runs,
    get_row,
    rows_of,
    store,
    units,
)
from ..study.measuring import Measured
from ..study.records import MAIN, PRIMARY
from . import figures
from .chapter import (
    Records,
    baseline,
    draw_line,
    interval,
    last_batches,
    line_note,
    marked,
    over,
    percent,
    points,
    published_shares,
    published_updates,
    recorded,
    runs_of,
    table,
)

LENGTHS = "24_length"  # the chapter of the longer rows
PROPERTIES = {
    "frechet": "Fréchet distance", "precision": "precision", "recall": "recall", "density": "density", "coverage": "coverage",
    "log_volume": "log volume", "effective_rank": "effective rank", "colour_kl": "colour: symmetric KL to real images", "spectrum": "spectrum's slope",
    "coherence": "two-view coherence", "retrieval": "two-view retrieval", "colour_coherence": "coherence of mean colour",
}  # fmt: skip


def base_of(name: str) -> str:
    """The row that a variant varies."""
    return name.split(".")[0]


def changed(row: Row, profile: Profile) -> str:
    """What a variant changes, in words of the file."""
    own = {
        **row.method_options,
        **row.options,
        **row.overrides,
        **row.by_profile.get(profile.name, {}),
    }
    base = get_row(base_of(row.name))
    usual = {**base.method_options, **base.options, **base.by_profile.get(profile.name, {})}
    return (
        ", ".join(
            f"{key} = {value}"
            for key, value in own.items()
            if key != "seeds" and usual.get(key) != value
        )
        or "–"
    )


def ablation(found: Records, profile: Profile, against: str | None = None) -> figures.Shown:
    """Variants beside the row that they vary (or beside ``against``): accuracy, how far they lie from it, what is changed, the command."""
    if not found:
        return table(["row"], [["–"]], f"The profile {profile.name} has none of these rows.")
    body = []
    for name in sorted({against or base_of(name) for name in found}):
        body.append(
            _ablation_line(name, {name: found.get(name) or baseline(profile, name)}, None, profile)
        )
        reference = found.get(name) or baseline(profile, name)
        for variant, mine in found.items():
            if (against or base_of(variant)) == name and variant != name:
                body.append(_ablation_line(variant, {variant: mine}, reference, profile))
    header = [
        "row",
        "top-1, %",
        "difference from the first line of its kind, points",
        "changed",
        "runs",
        "command",
    ]
    return table(
        header,
        body,
        f"Top-1 [95 % interval over {over(found)}]; differences are unpaired over runs, image by image over the same test images.",
    )


def _ablation_line(
    name: str, found: Records, reference: Runs | None, profile: Profile
) -> list[str]:
    row, mine = get_row(name), found[name]
    e, apart = mine.accuracy(), "–"
    if reference is not None:
        apart = points(mine.difference(reference, _common(mine, reference)))
    command = (
        f"<code>python -m synthlearn run --profile {profile.name} --row {html.escape(name)}</code>"
    )
    return [
        html.escape(row.title),
        recorded(interval(e), name, profile),
        apart,
        changed(row, profile),
        runs_of(e),
        command,
    ]


def _common(a: Runs, b: Runs) -> str:
    """A probe that both have by name, or each one's own main one."""
    return PRIMARY if a.has(PRIMARY) and b.has(PRIMARY) else MAIN


def ablation_figure(found: Records, profile: Profile, floor: str = "random") -> figures.Shown:
    """Variants and the rows that they vary on one axis of accuracy, the untrained encoder as a line."""
    every: Records = {}
    for name in found:
        base = base_of(name)
        if base not in every and base != base_of(floor):
            every[base] = found.get(base) or baseline(profile, base)
        if name != floor:
            every[name] = found[name]
    lines = []
    for name, mine in every.items():
        e, row = mine.accuracy(), get_row(name)
        lines.append(
            {
                "label": marked(row.title, e),
                "family": row.family,
                "mean": e.mean,
                "low": e.low,
                "high": e.high,
                "published": None,
            }
        )
    low = (found.get(floor) or baseline(profile, floor)).accuracy().mean
    said = "; ".join(
        f"{get_row(name).title} {percent(mine.accuracy().mean)} %" for name, mine in every.items()
    )
    note = f"95 % intervals over {over(every)}; dashed line: the untrained encoder."
    return figures.accuracies(
        lines,
        low,
        None,
        f"Accuracy with intervals. {said}; untrained encoder {percent(low)} %.",
        note,
    )


def terms_figure(found: Records) -> figures.Shown:
    """Alignment against uniformity over training, seed 0 of each row that has both; dotted: points drawn at random on the sphere."""
    both = {
        name: mine[0].curves
        for name, mine in found.items()
        if {"align", "uniform"} <= mine[0].curves.keys()
    }
    figure, axis = figures.new(height=3.6)
    said = []
    for (name, curve), mark, colour in zip(both.items(), "os^Dv<", figures.LINES, strict=False):
        axis.plot(
            curve["uniform"],
            curve["align"],
            color=colour,
            linewidth=1,
            alpha=0.8,
            label=get_row(name).title,
        )
        axis.plot(curve["uniform"][-1], curve["align"][-1], mark, color=colour, markersize=9)
        said.append(
            f"{get_row(name).title} ends at uniformity {curve['uniform'][-1]:.2f}, alignment {curve['align'][-1]:.2f}"
        )
    axis.axvline(losses.uniform_limit(OUTPUT), linestyle=":", color=figures.INK)
    axis.set_xlabel("uniformity (left: spread out)")
    axis.set_ylabel("alignment (down: views agree)")
    axis.legend(labelcolor=figures.INK, frameon=False, fontsize=9)
    note = f"Seed 0 of each row; the last point is marked. {last_batches({name: found[name] for name in both})}".strip()
    return figures.svg(
        figure, f"Alignment against uniformity over training. {'; '.join(said)}.", note
    )


def unit_sheets(
    names: Sequence[str], taps: Sequence[str], profile: Profile, units: int = 8, size: int = 48
) -> dict[str, figures.Shown]:
    """Pictures that excite the first units of convolutions, tap → a sheet with a row per encoder, seed 0."""
    steps, sheets = 8 if profile.name == "smoke" else 96, {}
    chosen = [get_row(name) for name in names]
    encoders = [
        str(Experiment(row, profile, 0).trained_encoder()) if row.trained else "small"
        for row in chosen
    ]
    titles = ", ".join(row.title for row in chosen)
    for tap in taps:
        pictures = torch.cat(
            [
                visualise(encoder, tap, torch.arange(units), size, steps, width=profile.width)
                for encoder in encoders
            ]
        )
        enlarged = pictures.repeat_interleave(2, 2).repeat_interleave(2, 3)
        caption = f"{tap}, a row per encoder: {titles}."
        sheets[tap] = figures.contact_sheet(enlarged, f"{units} units of {caption}", caption, units)
    return sheets


def size_figure(found: Records, profile: Profile) -> figures.Shown:
    """Accuracy against the number of different images seen, at equal updates; a line per source, the never-repeating stream at all it has seen."""
    lines: dict[str, list[tuple[int, stats.Estimate]]] = {}
    names = [*found, *dict.fromkeys(base_of(name) for name in found)]
    for name in dict.fromkeys(names):
        p, mine = get_row(name).settings(profile), found.get(name) or baseline(profile, name)
        images = (
            p.n_images if not p.refresh else round(p.n_images * (1 + p.refresh * (p.epochs - 1)))
        )
        lines.setdefault(base_of(name), []).append((images, mine.accuracy()))
    floor, said = baseline(profile).accuracy().mean, []
    figure, axis = figures.new(height=3.4)
    for (base, entries), mark in zip(lines.items(), "os^Dv", strict=False):
        entries.sort(key=lambda entry: entry[0])
        row = get_row(base)
        draw_line(
            axis,
            [n for n, _ in entries],
            [e for _, e in entries],
            figures.COLOURS[row.family],
            mark,
            row.title,
        )
        said.append(
            f"{row.title}: " + ", ".join(f"{n:,} images {percent(e.mean)} %" for n, e in entries)
        )
    axis.axhline(100 * floor, color=figures.INK, linestyle="--", linewidth=1)
    axis.set_xscale("log")
    note = f"Equal updates; {line_note([e for entries in lines.values() for _, e in entries])}; dashed line: the random encoder."
    axis.set_xlabel("different images")
    axis.set_ylabel("top-1, %")
    axis.legend(labelcolor=figures.INK, frameon=False)
    return figures.svg(figure, f"Accuracy against the number of images. {'; '.join(said)}.", note)


def longer_rows(profile: Profile) -> list[str]:
    """Rows that differ from their base in length alone."""
    return [row.name for row in rows_of(profile) if row.chapter == LENGTHS]


def lengths(found: Records, profile: Profile) -> dict[str, dict[int, tuple[str, Runs]]]:
    """Runs of each source by how long they trained: source → updates, rising → row and its runs. ``found``: variants; their rows are looked up."""
    by: dict[str, dict[int, tuple[str, Runs]]] = {}
    for name in dict.fromkeys(
        each for variant in longer_rows(profile) for each in (base_of(variant), variant)
    ):
        mine = found.get(name) or (None if "." in name else baseline(profile, name))
        if mine is None:  # no run yet
            continue
        by.setdefault(base_of(name), {})[mine[0].updates] = (name, mine)
    return {base: dict(sorted(mine.items())) for base, mine in by.items()}


def length_figure(found: Records, profile: Profile) -> figures.Shown:
    """Accuracy against the number of updates, a line per source; the random encoder, which needs none, as a dashed line with its interval."""
    figure, axis = figures.new(height=4.6)
    said, drawn, ticks = [], list[stats.Estimate](), set[int]()
    every = lengths(found, profile)
    for i, ((base, mine), mark) in enumerate(
        zip(every.items(), itertools.cycle("os^Dv<>P"), strict=False)
    ):
        row, each = (
            get_row(base),
            {updates: runs.accuracy() for updates, (_, runs) in mine.items()},
        )
        aside = 1.02 ** (i - (len(every) - 1) / 2)  # so that intervals stand side by side
        draw_line(
            axis,
            [updates * aside for updates in each],
            list(each.values()),
            figures.COLOURS[row.family],
            mark,
            row.title,
        )
        drawn += each.values()
        ticks |= each.keys()
        said.append(
            f"{row.title}: "
            + ", ".join(f"{updates:,} updates {percent(e.mean)} %" for updates, e in each.items())
        )
    floor = baseline(profile).accuracy()
    axis.axhline(100 * floor.mean, color=figures.INK, linestyle="--", linewidth=1)
    axis.axhspan(100 * floor.low, 100 * floor.high, color=figures.INK, alpha=0.12, linewidth=0)
    axis.set_xscale("log")
    axis.set_xticks(sorted(ticks), [f"{updates:,}" for updates in sorted(ticks)])
    axis.minorticks_off()
    axis.set_xlabel("updates")
    axis.set_ylabel("top-1, %")
    figure.legend(
        loc="outside lower center", ncols=3, labelcolor=figures.INK, frameon=False, fontsize=9
    )
    note = f"{line_note([*drawn, floor])}; dashed line and band: the random encoder. {_waiting(found, profile)}".strip()
    return figures.svg(
        figure,
        f"Accuracy against updates. {'; '.join(said)}; random encoder {percent(floor.mean)} %.",
        note,
    )


def _waiting(found: Records, profile: Profile) -> str:
    """Longer rows that have no run yet, for a caption; empty where all have."""
    waiting = [get_row(name).title for name in longer_rows(profile) if name not in found]
    return f"No run yet: {'; '.join(waiting)}." if waiting else ""


def length_table(found: Records, profile: Profile) -> figures.Shown:
    """By source and updates: accuracy, real images' lead at as many updates, and how far of the way from the random encoder to them; the paper's shares."""
    floor, every, body = baseline(profile), lengths(found, profile), []
    real = every.get("real", {})
    for base, mine in every.items():
        for updates, (name, runs) in mine.items():
            lead = share = "–"
            if base != "real" and updates in real:
                top, low, high = (
                    runs.part(1.0),
                    floor.part(-1.0),
                    real[updates][1].part(1.0),
                )
                lead = points(real[updates][1].difference(runs))
                share = _share(
                    *stats.ratio(
                        stats.contrast([top, low]),
                        stats.contrast([high, low]),
                        stats.contrast([top, (-1.0, *high[1:])]),
                    )
                )
            e = runs.accuracy()
            body.append(
                [
                    html.escape(get_row(base).title),
                    f"{updates:,}",
                    recorded(interval(e), name, profile),
                    lead,
                    share,
                    runs_of(e),
                ]
            )
    for name, (best, left, way, cut) in published_shares().items():
        least, most = ("≥ ", "at most ") if cut else ("", "")  # real images may be further away
        title = f"<span class='paper'>◇ the paper: {html.escape(best['row'])}, real images: {html.escape(name)}</span>"
        value = f"<span class='paper'>◇ {best['value']}</span>"
        body.append(
            [
                title,
                f"{published_updates():,}",
                value,
                f"{least}{left:+.1f}",
                f"{most}{100 * way:.0f} %",
                "one run",
            ]
        )
    note = f"Intervals over {over({'random': floor, **found})}. Share: of the way from the random encoder to real images at as many updates (Fieller's), "
    note += "– where that way may be none. "
    note += "The paper's: other data and a network of full width, read off a figure (± 0.2); the bar of ImageNet-100 is cut off there, so its share is a bound."
    return table(
        ["source", "updates", "top-1, %", "real images − it, points", "share of the way", "runs"],
        body,
        note,
    )


def _share(value: float, low: float, high: float) -> str:
    """A share and its interval in per cent; a dash where the whole may be nothing."""
    return (
        f"{100 * value:.0f} % <small>[{100 * low:.0f}, {100 * high:.0f}]</small>"
        if math.isfinite(high)
        else "–"
    )


def over_encoders(found: units.Units) -> str:
    """What the intervals of a caption's numbers are over, and how many encoders of each row were measured."""
    counts = {len(values) for name, values in found.values.items() if name not in units.PIXELS} or {
        0
    }
    if counts == {1}:
        lent = units.LENT in found.over
        what = found.over.split(";")[0].replace("images", "test images")
        rest = (
            " and the spread of encoders that the main probe has"
            if lent
            else ", which say nothing of how far encoders lie apart"
        )
        return f"95 % intervals over {what}{rest}; one encoder of each row."
    many = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    pixels = ", but raw pixels, which have none" * any(
        name in units.PIXELS for name in found.values
    )
    return f"95 % intervals over encoders and test images, {many} encoders of each row{pixels}."


def titled(name: str, found: units.Units) -> str:
    """A row's title, marked where it has one encoder and others have more."""
    alone = name not in units.PIXELS and len(found.values[name]) == 1 < max(
        map(len, found.values.values())
    )
    return get_row(name).title + ", one encoder" * alone


def transfer_table(found: Measured) -> figures.Shown:
    """Accuracy of every task and the group means of gains over chance."""
    first = units.tasks_of(next(iter(found.values()))[0])
    groups = {group: units.group(found, group) for group in units.groups(found)}
    one = next(iter(groups.values()))
    names = [name for group in groups for name, part in first.items() if part.group == group]
    accuracies = {name: units.part(found, name) for name in names}
    body = []
    for row in _ranked(groups):
        means = [interval(mine.estimate(row)) for mine in groups.values()]
        body.append(
            [
                html.escape(titled(row, one)),
                *means,
                *(percent(accuracies[name].estimate(row).mean) for name in names),
            ]
        )
    counts = ", ".join(f"{name} {part.train:,} of {part.n:,}" for name, part in first.items())
    note = f"Group columns: mean of (top-1 − chance)/(1 − chance), in per cent, tasks fixed, with {over_encoders(one)} Others: top-1 of a linear probe. "
    return table(
        ["source", *groups, *names],
        body,
        f"{note}Training and test images: {counts}.",
        sortable=True,
    )


def _ranked(groups: dict[str, units.Units]) -> list[str]:
    """Rows by their mean over groups, best first."""
    names = next(iter(groups.values())).values
    return sorted(
        names, key=lambda name: -fmean(mine.estimate(name).mean for mine in groups.values())
    )


def transfer_figure(found: Measured) -> figures.Shown:
    """Group means, a panel per group, best overall first."""
    groups = {group: units.group(found, group) for group in units.groups(found)}
    one, order = next(iter(groups.values())), _ranked(groups)
    figure, axes = figures.new(
        len(groups), width=7.6, height=0.3 * len(order) + 1.2, sharey=True, squeeze=False
    )
    said = []
    for axis, (group, mine) in zip(axes[0], groups.items(), strict=True):
        for i, name in enumerate(order):
            e = mine.estimate(name)
            colour = figures.COLOURS[get_row(name).family]
            axis.plot([100 * e.low, 100 * e.high], [i, i], color=colour, linewidth=2)
            axis.plot(100 * e.mean, i, "o", color=colour)
            said.append(f"{get_row(name).title} {group} {100 * e.mean:.1f}")
        axis.set_title(group, fontsize=11, color=figures.INK)
        axis.set_xlabel("gain over chance, %")
    axes[0][0].set_yticks(range(len(order)), [titled(name, one) for name in order])
    axes[0][0].invert_yaxis()
    return figures.svg(
        figure,
        f"Transfer by group: {'; '.join(said)}.",
        f"(top-1 − chance)/(1 − chance), mean over the group's tasks; {over_encoders(one)}",
    )


def lines_figure(found: Measured, label: str, caption: str) -> figures.Shown:
    """Top-1 of the parts of a measurement (layers, numbers of examples) as one line per row."""
    figure, axis = figures.new(width=7.2, height=3.6)
    parts = {name: units.part(found, name) for name in units.parts(found)}
    one, said = next(iter(parts.values())), []
    for name, mark in zip(found, itertools.cycle("os^Dv<>P*X"), strict=False):
        row, estimates = get_row(name), [mine.estimate(name) for mine in parts.values()]
        top1 = [100 * e.mean for e in estimates]
        bars = [
            [100 * (e.mean - e.low) for e in estimates],
            [100 * (e.high - e.mean) for e in estimates],
        ]
        axis.errorbar(
            list(parts),
            top1,
            yerr=bars,
            marker=mark,
            color=figures.COLOURS[row.family],
            label=titled(name, one),
            linewidth=1.5,
            capsize=2,
        )
        said.append(
            f"{row.title}: "
            + ", ".join(f"{part} {value:.1f}" for part, value in zip(parts, top1, strict=True))
        )
    axis.set_xlabel(label)
    axis.set_ylabel("top-1, %")
    axis.legend(labelcolor=figures.INK, fontsize=8, ncols=2, frameon=False)
    return figures.svg(figure, f"{caption} {'; '.join(said)}.", f"{caption} {over_encoders(one)}")


def parts_table(found: Measured, caption: str) -> figures.Shown:
    """The same numbers as a table."""
    parts = {name: units.part(found, name) for name in units.parts(found)}
    one, body = next(iter(parts.values())), []
    for name, runs in found.items():
        cells = []
        for part, mine in parts.items():
            rates = ", ".join(
                dict.fromkeys(
                    f"{p.lr:g}"
                    for p in (r.results[part] for r in runs)
                    if isinstance(p, FineTunedAccuracy)
                )
            )
            cells.append(
                interval(mine.estimate(name)) + (f" <small>lr {rates}</small>" if rates else "")
            )
        body.append([html.escape(titled(name, one)), *cells])
    return table(["source", *parts], body, f"{caption} {over_encoders(one)}", sortable=True)


def properties_table(found: Measured) -> figures.Shown:
    """Every property of every set, and of as many real images that are not the reference."""
    body = [
        [
            "<i>real images, another sample</i>",
            *(f"{next(iter(found.values()))[0].value(k).real:.3g}" for k in PROPERTIES),
        ]
    ]
    for name, (record, *_) in found.items():
        body.append(
            [
                html.escape(get_row(name).title),
                *(f"{record.value(k).value:.3g}" for k in PROPERTIES),
            ]
        )
    spec, n = (
        next(iter(found.values()))[0].spec,
        {r.results["frechet"].n for mine in found.values() for r in mine},
    )
    what = f"Features: {spec.tap} of the encoder trained on real images (seed 0), {', '.join(f'{k:,}' for k in sorted(n))} pictures of each set; k = 5. "
    return table(
        ["set", *PROPERTIES.values()],
        body,
        f"{what}Not FID: no Inception weights are involved.",
        sortable=True,
    )


def joined(
    found: Measured, records: Records
) -> tuple[list[str], np.ndarray, dict[str, np.ndarray]]:
    """Synthetic sets with both properties and a record, but mixtures of them: their names, accuracies, and each property's values."""
    names = sorted(
        name
        for name in found
        if "." not in name and name in records and get_row(name).kind == "generator"
    )
    names = [name for name in names if get_row(name).family != "mixture"]
    accuracy = np.array([records[name].accuracy().mean for name in names])
    return (
        names,
        accuracy,
        {k: np.array([found[name][0].value(k).value for name in names]) for k in PROPERTIES},
    )


def correlations(found: Measured, records: Records) -> figures.Shown:
    """Pearson and Spearman correlation of each property with accuracy over the synthetic sets, with bootstrap intervals over sets; Holm over properties."""
    names, accuracy, values = joined(found, records)
    if len(names) < 4:
        return table(
            ["sets"],
            [[str(len(names))]],
            "Fewer than four synthetic sets with records: no correlation.",
        )
    pairs = {
        k: (stats.correlation(x, accuracy, "pearson"), stats.correlation(x, accuracy, "spearman"))
        for k, x in values.items()
    }
    clear = dict(
        zip(
            pairs,
            stats.holm([stats.permutation_p(values[k], accuracy) for k in pairs]),
            strict=True,
        )
    )
    body = []
    for k, both in sorted(pairs.items(), key=lambda item: -abs(item[1][1][0])):
        cells = [f"{r:+.2f} <small>[{low:+.2f}, {high:+.2f}]</small>" for r, low, high in both]
        body.append([PROPERTIES[k], *cells, "✓" if clear[k] else "–"])
    note = f"Over {len(names)} synthetic sets, real images and mixtures left out; intervals: bootstrap over sets. Last column: Spearman's permutation test, "
    note += "Holm's rule over the properties."
    return table(
        ["property", "Pearson with accuracy", "Spearman with accuracy", "more than chance"],
        body,
        note,
        sortable=True,
    )


def properties_figure(
    found: Measured,
    records: Records,
    shown: Sequence[str] = ("frechet", "recall", "log_volume", "spectrum"),
) -> figures.Shown:
    """Accuracy against some properties, a mark per synthetic set in its family's colour; real images as a star."""
    names, accuracy, values = joined(found, records)
    figure, axes = figures.new(
        len(shown), width=2.1 * len(shown) + 0.8, height=2.9, sharey=True, squeeze=False
    )
    axis: Axes
    for axis, k in zip(axes[0], shown, strict=True):
        for name, x, y in zip(names, values[k], accuracy, strict=True):
            axis.plot(x, 100 * y, "o", color=figures.COLOURS[get_row(name).family], markersize=7)
        if "real" in found and "real" in records:
            axis.plot(
                found["real"][0].value(k).value,
                100 * records["real"].accuracy().mean,
                "*",
                color=figures.COLOURS["real"],
                markersize=12,
            )
        axis.set_xlabel(PROPERTIES[k], fontsize=9)
    axes[0][0].set_ylabel("top-1, %")
    families = dict.fromkeys(get_row(name).family for name in names)
    handles = [
        axes[0][0].plot([], [], "o", color=figures.COLOURS[f], label=f.replace("_", " "))[0]
        for f in families
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=4,
        labelcolor=figures.INK,
        fontsize=9,
        frameon=False,
    )
    said = "; ".join(f"{get_row(name).title} {100 * y:.1f} %: " + ", ".join(f"{PROPERTIES[k]} {values[k][i]:.3g}" for k in shown)
                     for i, (name, y) in enumerate(zip(names, accuracy, strict=True)))  # fmt: skip
    return figures.svg(
        figure,
        f"Accuracy against properties. {said}.",
        "One mark per synthetic set, colour by family; star: real images.",
    )


def twins_figure() -> figures.Shown:
    """Accuracies of the same row and seed on two kinds of device, one against the other: a mark per pair, colour by family; on the line they agree."""
    pairs = store.device_pairs()
    figure, axis = figures.new(width=4.6, height=4.2)
    x, y = ([100 * pair[i].main.top1 for pair in pairs] for i in (0, 1))
    families = [get_row(first.row).family for first, _ in pairs]
    for family in dict.fromkeys(families):
        mine = [i for i, f in enumerate(families) if f == family]
        axis.plot(
            [x[i] for i in mine],
            [y[i] for i in mine],
            "o",
            color=figures.COLOURS[family],
            label=family.replace("_", " "),
            markersize=6,
        )
    axis.axline((45, 45), slope=1, color=figures.INK, linewidth=1, linestyle="--")
    axis.set_xlabel("top-1 on a processor, %")
    axis.set_ylabel("top-1 on a GPU, %")
    axis.legend(labelcolor=figures.INK, fontsize=8, frameon=False, ncols=2)
    said = "; ".join(
        f"{get_row(first.row).title} seed {first.seed}: {a:.1f} and {b:.1f}"
        for (first, _), a, b in zip(pairs, x, y, strict=True)
    )
    return figures.svg(
        figure,
        f"The same run on two kinds of device. {said}.",
        "Each mark is one row and seed, run twice; dashed: equal accuracy.",
    )


def twins_table() -> figures.Shown:
    """How far the same run lies apart on two devices, beside how far runs of one row do that differ in their seed."""
    pairs, rows = store.device_pairs(), dict[str, list[float]]()
    apart = np.array([twin.main.top1 - first.main.top1 for first, twin in pairs])
    for r in store.committed():
        if get_row(r.row).trained:
            rows.setdefault(r.row, []).append(r.main.top1)
    seeds = stats.pooled(rows.values())
    mean, low, high = intervals.paired_t(apart)
    n = int(np.median([first.main.n for first, _ in pairs]))
    p = float(np.mean([first.main.top1 for first, _ in pairs]))
    body = [
        [
            "the same run on two devices: mean difference",
            f"{100 * mean:+.2f} <small>[{100 * low:+.2f}, {100 * high:+.2f}]</small>",
            f"{len(pairs)} pairs",
        ],
        [
            "one run, from those pairs: standard deviation",
            f"{100 * float(apart.std(ddof=1)) / 2**0.5:.2f}",
            f"{len(pairs)} pairs",
        ],
        [
            "runs of one row by other seeds: standard deviation",
            f"{100 * seeds.variance**0.5:.2f}",
            f"{sum(len(v) > 1 for v in rows.values())} rows",
        ],
        [
            "test images alone: standard error",
            f"{100 * (p * (1 - p) / n) ** 0.5:.2f}",
            f"{n:,} images",
        ],
    ]
    return table(
        ["what", "points of top-1", "from"],
        body,
        "Pairs have the same recipe of pictures, weights at the start, order and views; only rounding differs.",
    )
