"""What the chapters on guidance, language, budgets and limits show: accuracy along a setting, fidelity of samples, rare classes, classes apart."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..core import stats
from ..core.image import resize
from ..data import datasets
from ..measure.long_tail import ARMS
from ..study import Experiment, MeasurementRecord, Profile, get_row
from ..study.measuring import Measured
from ..text2image import Learned, flow
from . import figures
from .chapter import Records, baseline, draw_line, line_note, percent, table

FIDELITY = {
    "frechet": "Fréchet distance", "precision": "precision", "recall": "recall", "variety": "variety within a caption", "agreement": "says its class",
    "imbalance": "imbalance of classes", "distance": "median distance to a real image", "copies": "near-copies",
}  # fmt: skip
REAL = "real.simclr_sharp"  # what synthetic images are held against
SHARES = ("precision", "recall", "agreement", "copies")


def chosen(found: Records, profile: Profile, *names: str) -> Records:
    """Records of those rows that the profile has, in this order; other chapters' too."""
    return {
        name: found.get(name) or baseline(profile, name)
        for name in names
        if profile.name in get_row(name).profiles
    }


def weight(name: str, profile: Profile) -> float:
    """Guidance of a row's source."""
    row = get_row(name)
    return float(row.source_options(row.settings(profile)).get("w", 1.0))


def along(
    found: Records,
    profile: Profile,
    label: str,
    lines: dict[str, dict[float, str]],
    bound: str = REAL,
    what: str = "SimCLR on the real images",
) -> figures.Shown:
    """Accuracy with intervals along a setting, logarithmic: title of a line → value → row; dotted: the row ``bound``, which is ``what``."""
    figure, axis = figures.new(height=3.4)
    said, every = [], list[stats.Estimate]()
    for (title, points), mark, colour in zip(lines.items(), "os^D", figures.LINES, strict=False):
        mine = chosen(found, profile, *points.values())
        have = {
            value: mine[name].accuracy() for value, name in sorted(points.items()) if name in mine
        }
        if not have:
            continue
        draw_line(axis, list(have), list(have.values()), colour, mark, title)
        every += have.values()
        said.append(
            f"{title}: " + ", ".join(f"{value:g}: {percent(e.mean)} %" for value, e in have.items())
        )
    floor = (found.get(bound) or baseline(profile, bound)).accuracy().mean
    axis.axhline(100 * floor, color=figures.INK, linestyle=":", linewidth=1)
    axis.set_xscale("log")
    ticks = sorted({value for points in lines.values() for value in points})
    axis.set_xticks(ticks, [f"{value:,g}" for value in ticks])
    axis.minorticks_off()
    axis.set_xlabel(label)
    axis.set_ylabel("top-1, %")
    axis.legend(labelcolor=figures.INK, frameon=False)
    note = f"{line_note(every)}; dotted: {what}."
    return figures.svg(
        figure, f"Accuracy along {label}. {'; '.join(said)}; {what} {percent(floor)} %.", note
    )


def fidelity_figure(measured: Measured, names: Sequence[str], profile: Profile) -> figures.Shown:
    """Fidelity and variety of samples along guidance, a panel each; dotted: real images."""
    shown = ("frechet", "precision", "recall", "variety", "agreement")
    have = sorted(
        (name for name in names if name in measured), key=lambda name: weight(name, profile)
    )
    figure, axes = figures.new(len(shown), width=9.6, height=2.8, squeeze=False)
    said = []
    for axis, key in zip(axes[0], shown, strict=True):
        values = [measured[name][0].value(key).value for name in have]
        real = measured[have[0]][0].value(key).real
        axis.plot([weight(name, profile) for name in have], values, "o-", color=figures.LINES[0])
        axis.axhline(real, color=figures.INK, linestyle=":", linewidth=1)
        axis.set_title(FIDELITY[key], fontsize=9, color=figures.INK)
        axis.set_xscale("log")
        axis.set_xticks(
            [weight(name, profile) for name in have],
            [f"{weight(name, profile):g}" for name in have],
        )
        axis.minorticks_off()
        axis.set_xlabel("w")
        said.append(
            f"{FIDELITY[key]}: "
            + ", ".join(f"{v:.3g}" for v in values)
            + f" (real images {real:.3g})"
        )
    weights = ", ".join(f"{weight(name, profile):g}" for name in have)
    return figures.svg(
        figure,
        f"Samples along w = {weights}. {'; '.join(said)}.",
        "Dotted: real images that the model has not seen; variety: of its own.",
    )


def fidelity_table(measured: Measured) -> figures.Shown:
    """All measurements of samples, and of real images."""
    first = next(iter(measured.values()))[0]
    body = [["<i>real images</i>", *(_cell(key, first.value(key).real) for key in FIDELITY)]]
    for name, (record, *_) in measured.items():
        title = get_row(name).title
        body.append(
            [html.escape(title), *(_cell(key, record.value(key).value) for key in FIDELITY)]
        )
    n = first.results["frechet"].n
    note = f"{n:,} pictures each; features of the encoder trained on real images (conv5; the judge of classes reads fc6). Not FID: no Inception weights. "
    note += "Real images: test images; for variety, the model's own. The judge learned from photographs that neither model nor probe has."
    return table(["samples of", *FIDELITY.values()], body, note)


def _cell(key: str, value: float) -> str:
    return f"{percent(value)} %" if key in SHARES else f"{value:.3g}"


def costs(found: Records) -> figures.Shown:
    """Seconds of generation and of training of rows, by kind of device."""
    body = []
    for name, mine in found.items():
        for card in (False, True):
            cost = [
                r.cost
                for r in mine
                if (r.spec.device == "cuda") == card and (r.cost.pool_seconds or 0) > 1
            ]
            if cost:
                pool = float(np.mean([c.pool_seconds for c in cost]))
                train = float(np.mean([c.train_seconds for c in cost]))
                pictures = cost[0].images or 0
                cells = [
                    f"{1000 * pool / pictures:.1f}",
                    f"{pool:.0f}",
                    f"{train:.0f}",
                    f"{percent(pool / (pool + train))} %",
                    str(len(cost)),
                ]
                body.append(
                    [
                        html.escape(get_row(name).title),
                        "H100, shared" if card else "one core",
                        *cells,
                    ]
                )
    header = [
        "source",
        "on",
        "ms per picture",
        "generation, s",
        "training, s",
        "share of generation",
        "runs that made their own",
    ]
    return table(
        header,
        body or [["–"] * 7],
        "Means over the runs that made their pictures themselves, beside eight to fourteen other runs on the card.",
    )


def classes_figure(found: Records, profile: Profile, a: str, b: str) -> figures.Shown:
    """Accuracy of each class with one row's features against another's: who loses by the exchange."""
    test = datasets.load(profile.data, "test")
    figure, axis = figures.new(height=3.6)
    said = []
    accuracy = {
        name: (found.get(name) or baseline(profile, name)).outcomes().mean(0) for name in (a, b)
    }
    share = {
        name: [float(x[(test.labels == c).numpy()].mean()) for c in range(len(test.classes))]
        for name, x in accuracy.items()
    }
    order = sorted(range(len(test.classes)), key=lambda c: share[a][c] - share[b][c])
    for i, c in enumerate(order):
        axis.plot(
            [100 * share[b][c], 100 * share[a][c]],
            [i, i],
            color=figures.INK,
            linewidth=1,
            alpha=0.5,
        )
        axis.plot(
            100 * share[b][c],
            i,
            "o",
            color=figures.LINES[0],
            label=get_row(b).title if i == 0 else None,
        )
        axis.plot(
            100 * share[a][c],
            i,
            "s",
            color=figures.LINES[1],
            label=get_row(a).title if i == 0 else None,
        )
        said.append(f"{test.classes[c]} {percent(share[a][c])} against {percent(share[b][c])} %")
    axis.set_yticks(range(len(order)), [test.classes[c] for c in order])
    axis.set_xlabel("top-1 within the class, %")
    figure.legend(loc="outside lower center", ncols=2, labelcolor=figures.INK, frameon=False)
    return figures.svg(
        figure,
        f"Accuracy by class, {get_row(a).title} against {get_row(b).title}: {'; '.join(said)}.",
        "Means over runs.",
    )


def rare_table(measured: Sequence[MeasurementRecord]) -> figures.Shown:
    """Accuracy on head, middle and tail classes of each way to train, mean over seeds with the range of the seeds."""
    body = []
    for arm in ARMS:
        cells = []
        for part in ("head", "middle", "tail", "top1"):
            values = np.array([getattr(m.results[arm], part) for m in measured])
            cells.append(
                f"{percent(float(values.mean()))} <small>[{percent(float(values.min()))}, {percent(float(values.max()))}]</small>"
            )
        body.append([arm, *cells])
    note = f"Accuracy in per cent, mean over {len(measured)} draws of which class is rare [least, largest]; test images balanced."
    return table(["training images", "head: 3 classes", "middle: 4", "tail: 3", "all"], body, note)


def learned_sheet(
    profile: Profile, weights: Sequence[float] = (1.0, 2.0, 4.0), columns: int = 10
) -> figures.Shown:
    """Samples of the model that was trained from scratch: a row for each w, a column for each of some captions, one noise to a column."""
    model = learned(profile)
    number = model.options.number
    index = torch.arange(columns) * (number // columns)
    options = {**model.options.__dict__}
    rows = []
    for turn in range(2):
        for w in weights:
            rows.append(
                resize(Learned(**{**options, "w": w}).sample(index + turn * number, 48), 48)
            )
    said = ", ".join(f"{w:g}" for w in weights)
    texts = "; ".join(model.texts()[int(i)] for i in index)
    caption = f"Two noises, each with w = {said} from above; a column is one caption: {texts}."
    return figures.contact_sheet(
        torch.cat(rows), f"Samples of the trained model. {caption}", caption, columns
    )


def learned(profile: Profile) -> Any:
    """The text-to-image model that the profile trains, trained if it has to be."""
    return Experiment(get_row("learned"), profile, 0).source()


def learned_table(profile: Profile) -> figures.Shown:
    """What the model is and what its training took."""
    model = learned(profile)
    network, header = flow.load(model.path())
    o = model.options
    images = len(model.real()[0])
    seen = header["pictures"]
    body = [[
        f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f} M", f"{images:,} of {header['side']} px", f"{seen:,} ({seen / images:.0f} times each)",
        f"{header['loss'][0]:.2f} → {np.mean(header['loss'][-10:]):.2f}", f"{header['seconds'] / 60:.1f}", f"{o.steps} steps of Heun",
    ]]  # fmt: skip
    return table(
        [
            "parameters",
            "real images",
            "pictures seen",
            "loss, first and last",
            "minutes",
            "sampler",
        ],
        body,
        f"Trained on {o.data} with seed 0.",
    )
