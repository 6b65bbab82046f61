"""What the chapters beyond the papers show: how pictures come about, memories, private learning, and the search of our own noise."""

import html
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..data import datasets
from ..generators import dead_leaves, generator
from ..generators.mixed import Mixed
from ..generators.programs import Programs, is_varied, render
from ..measure import memory
from ..measure.private import PrivateAccuracy
from ..measure.visual_memory import INFLUENTIAL, WITHOUT_CLASS, Influence, WithoutClass
from ..study import Experiment, Profile, get_row, measuring, resolve, search, units
from ..study.measuring import Measured
from ..study.search import Standing
from . import figures
from .ablations import lines_figure, over_encoders, titled
from .chapter import Records, baseline, interval, percent, points, table
from .guidance import along
from .leaderboard import METHODS

OURS = "collage-found"
RIVALS = (
    "stylegan-oriented",
    "feature_vis-dead_leaves",
    "mixture-four",
    "mixed-cutmix",
    "programs-100",
    "random",
    "real",
)
SHOWN = 128  # side of shown pictures in pixels


def mixing_sheet(name: str, profile: Profile, n: int = 2) -> figures.Shown:
    """Pictures of a row of mixed pictures, each behind those that it is made of: a line per picture."""
    row = get_row(name)
    source = Experiment(row, profile, 0).source()
    assert isinstance(source, Mixed)
    index = torch.arange(n)
    parts = source.ingredients(source.keys(index), index, SHOWN, 0)
    made = source.sample(index, SHOWN)
    columns = parts.shape[1] + 1
    alt = f"{row.title}: in each line the {columns - 1} pictures that go in, and at its end the one that comes out."
    return figures.contact_sheet(
        torch.cat([parts, made[:, None]], 1).flatten(0, 1), alt, alt, columns
    )


def exponents(values: Sequence[float], size: int = SHOWN) -> dict[str, Any]:
    """One dead-leaves scene under other exponents of its radii: label → uint8 (3, s, s)."""
    key = generator("dead_leaves-mixed").keys([4])
    return {
        f"exponent −{e:g}": dead_leaves.leaf_colours(
            key, dead_leaves.cover(key, "mixed", size, exponent=e)[0]
        )[0]
        for e in values
    }


def systems(count: int, size: int = SHOWN) -> dict[str, Any]:
    """The first instance of some FractalDB categories: label → uint8 (3, s, s)."""
    source = generator("fractals-fractaldb", mode="point")
    return {
        f"system {i + 1}": picture for i, picture in enumerate(source.sample(range(count), size))
    }


def program_sheet(count: int = 6, pictures: int = 6, size: int = 96) -> figures.Shown:
    """Some programs, a line each: pictures of one program differ in time and in small changes of its numbers."""
    source = generator("programs")
    index = (
        torch.arange(count)[:, None] + source.options.programs * torch.arange(pictures)
    ).flatten()
    said = f"Programs 0 to {count - 1}, a line each, {pictures} pictures of each: as classes they are as easy or hard to tell apart as this."
    return figures.contact_sheet(source.sample(index, size), said, said, pictures)


def program_times(
    times: Sequence[float] = (0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5),
    count: int = 10,
    size: int = 72,
) -> dict[str, Tensor]:
    """Some programs at rising times: label → uint8 (3, h, w)."""
    source = generator("programs")
    assert isinstance(source, Programs)
    drawn = source.program_keys(torch.arange(2 * count), 0)
    keys = drawn[is_varied(drawn)][:count]
    return {
        f"t = {t:g}": figures.sheet(render(keys, torch.full((count,), t), size), count // 2)
        for t in times
    }


def by_number(found: Records, profile: Profile) -> figures.Shown:
    """Accuracy against the number of programs, a line per method."""
    lines: dict[str, dict[float, str]] = {}
    for name in found:
        row = get_row(name)
        if row.source_name == "programs" and row.classes == "own" and name.startswith("programs"):
            p = row.settings(profile)
            lines.setdefault(METHODS[p.method], {})[float(row.source_options(p)["programs"])] = name
    return along(found, profile, "programs", lines, "real", "the same network on real images")


def memory_figure(measured: Measured) -> figures.Shown:
    """Accuracy of a visual memory by how many images of each class it holds."""
    sizes = {
        name: [
            replace(r, results={k: part for k, part in r.results.items() if k.isdigit()})
            for r in mine
        ]
        for name, mine in measured.items()
    }
    return lines_figure(
        sizes, "images of each class in the memory", "Top-1 of neighbours in a memory;"
    )


def memory_table(measured: Measured, records: Records) -> figures.Shown:
    """The whole memory beside a linear probe, what happens when a class goes, and how many entries any decision hangs on."""
    whole = units.part(measured, units.largest_memory(measured))
    before, after, called = (
        units.part(measured, WITHOUT_CLASS, field) for field in ("before", "top1", "of_removed")
    )
    matter, body = units.part(measured, INFLUENTIAL, "value"), []
    for name in measured:
        without = f"{percent(before.estimate(name).mean)} → {percent(after.estimate(name).mean)}"
        body.append([
            html.escape(titled(name, whole)), interval(whole.estimate(name)), percent(records[name].accuracy().mean), without,
            percent(called.estimate(name).mean), percent(matter.estimate(name).mean),
        ])  # fmt: skip
    one = next(iter(measured.values()))[0].results
    gone, few = one[WITHOUT_CLASS], one[INFLUENTIAL]
    assert isinstance(gone, WithoutClass) and isinstance(few, Influence)
    header = [
        "encoder",
        "memory of all, %",
        "linear probe, %",
        f"without “{gone.removed}”: the other classes, %",
        "images of it called so, %",
        "entries that matter, %",
    ]
    note = f"Entries that matter: whose removal, each alone, changes any of {few.n:,} decisions, of {few.entries:,} entries. "
    return table(
        header,
        body,
        f"{note}Means over encoders; {over_encoders(whole)} The linear probe: over all runs of its row.",
    )


def neighbour_sheet(name: str, profile: Profile, asked: int = 5, k: int = 8) -> figures.Shown:
    """Digits, each before the entries that decide what it is: a memory of digits by a row's encoder, which has seen none of them."""
    row = get_row(name)
    encoder = Experiment(row, profile, 0).encoder()
    assert encoder is not None
    training, test = (datasets.load("digits", split) for split in datasets.SPLITS)
    tap = memory.maker(encoder, name)["layer"]
    entries = memory.embed(encoder, training.images, tap)
    held = memory.Memory({}, entries.shape[1])
    held.add(
        [f"{i:06d}" for i in range(len(training))],
        [training.classes[c] for c in training.labels.tolist()],
        entries,
    )
    queries = memory.embed(encoder, test.images[:asked], tap)
    near, said = held.query(queries, k), held.classify(queries, k)
    tiles = torch.cat(
        [
            torch.cat(
                (test.images[i : i + 1], training.images[[int(entry) for entry, _, _ in near[i]]])
            )
            for i in range(asked)
        ]
    )
    shown = tiles.repeat_interleave(6, 2).repeat_interleave(6, 3)
    told = ", ".join(f"a {test.classes[test.labels[i]]} is called {c}" for i, c in enumerate(said))
    return figures.contact_sheet(
        shown,
        f"Each line: a digit, and the {k} entries nearest to it. {told}.",
        f"From the top: {told}.",
        k + 1,
    )


def private_table(measured: Measured, records: Records) -> figures.Shown:
    """Accuracy by ε, and without privacy; below it, folded, the settings that were chosen for each encoder."""
    parts, body, settings = (
        {epsilon: units.part(measured, epsilon) for epsilon in units.parts(measured)},
        [],
        [],
    )
    first = next(iter(parts.values()))
    for name, mine in measured.items():
        title = html.escape(titled(name, first))
        body.append(
            [
                title,
                *(interval(part.estimate(name)) for part in parts.values()),
                percent(records[name].accuracy().mean),
            ]
        )
        settings.append(
            [
                title,
                *(
                    "; ".join(
                        f"{r.steps} steps, rate {r.rate:g}"
                        for r in (m.results[e] for m in mine)
                        if isinstance(r, PrivateAccuracy)
                    )
                    for e in parts
                ),
            ]
        )
    one = next(iter(measured.values()))[0].results[next(iter(parts))]
    assert isinstance(one, PrivateAccuracy)
    header = ["features", *(f"ε = {epsilon}" for epsilon in parts)]
    note = f"Top-1 on {one.n:,} test images; an encoder's number is its mean over {len(one.each)} draws of the noise. {over_encoders(first)} "
    shown = table(
        [*header, "no privacy"],
        body,
        f"{note}Last column: the linear probe of the encoder's records.",
    )
    chosen = table(
        header,
        settings,
        f"The best of {one.tried} settings on the public set, for each encoder and ε.",
    )
    return figures.Shown(
        f"{shown.content}<details><summary>The settings that were chosen</summary>{chosen.content}</details>",
        shown.alt,
    )


def searched(profile: Profile) -> tuple[search.Search, list[Standing]]:
    """The search of our own noise and how its points stand, rung by rung: a tiny one in the smoke profile, else the committed one."""
    found = search.get_search("collage", "smoke" if profile.name == "smoke" else "cpu")
    return found, search.search_all(found, profile if profile.name == "smoke" else resolve("cpu"))


def halving_figure(found: search.Search, rungs: Sequence[Standing]) -> figures.Shown:
    """Accuracy of every tried point, rung by rung; lines join the points that went on."""
    figure, axis = figures.new(height=3.6)
    best = rungs[-1][0][0]
    scores = [{point: 100 * right.mean() for point, right in rung} for rung in rungs]
    for point in scores[0]:
        line = [each[point] for each in scores if point in each]
        mine = point == best
        axis.plot(
            range(1, len(line) + 1),
            line,
            "o-",
            color=figures.LINES[1] if mine else figures.LINES[0],
            alpha=1 if mine else 0.45,
            linewidth=2 if mine else 1,
        )
    axis.set_xticks(
        range(1, len(rungs) + 1),
        [
            f"{len(each)} points,\n{rung.n_images:,} pictures × {rung.epochs}"
            for each, rung in zip(scores, found.rungs, strict=True)
        ],
    )
    axis.set_ylabel("top-1 on the deciding half, %")
    said = "; ".join(
        f"rung {i + 1}: {len(each)} points from {min(each.values()):.1f} to {max(each.values()):.1f} %"
        for i, each in enumerate(scores)
    )
    return figures.svg(
        figure,
        f"Successive halving. {said}; point {best} wins.",
        f"Every tried point; orange: point {best}, which won.",
    )


def finalists(found: search.Search, rungs: Sequence[Standing]) -> figures.Shown:
    """The last rung: options, accuracy by seed, and how often each would have won with other seeds and images."""
    shares, last = search.choices(rungs[-1]), found.rungs[-1]
    body = []
    for point, right in rungs[-1]:
        each = " ".join(f"{100 * x:.1f}" for x in right.mean(1))
        body.append(
            [
                str(point),
                *(str(value) for value in found.options(point).values()),
                each,
                f"{100 * right.mean():.1f}",
                f"{100 * shares[point]:.0f}",
            ]
        )
    note = f"Seeds {', '.join(map(str, last.seeds))}; last column: how often the point is the best when seeds and images are drawn again."
    return table(["point", *found.space, "each seed, %", "mean, %", "chosen, %"], body, note)


def effects_figure(found: search.Search, rung: Standing) -> figures.Shown:
    """What each value of each option does: mean of the points that have it − mean of the others, over the first rung."""
    told = search.effects(found, rung)
    if not told:
        return table(
            ["points"], [[str(len(rung))]], "Too few points to compare values of an option."
        )
    figure, axis = figures.new(height=0.24 * len(told) + 1.2)
    colours = dict(zip(found.space, itertools.cycle(figures.LINES), strict=False))
    for i, e in enumerate(told):
        axis.plot([100 * e.low, 100 * e.high], [i, i], color=colours[e.option], linewidth=2)
        axis.plot(100 * e.mean, i, "o", color=colours[e.option])
    axis.axvline(0, color=figures.INK, linewidth=1, linestyle="--")
    axis.set_yticks(
        range(len(told)), [f"{e.option} {e.value} ({e.configs})" for e in told], fontsize=9
    )
    axis.invert_yaxis()
    axis.set_xlabel("points of top-1 against the other points")
    said = "; ".join(
        f"{e.option} {e.value} {100 * e.mean:+.1f} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"
        for e in told
    )
    return figures.svg(
        figure,
        f"What options do: {said}.",
        "Mean of the points with a value − mean of the others, 95 % bootstrap interval over points (their number).",
    )


def collage_sheet(
    found: search.Search, points: int = 6, pictures: int = 6, size: int = 96
) -> figures.Shown:
    """The first points of the search, a line each."""
    shown = [
        generator(found.generator, **found.options(point)).sample(range(pictures), size)
        for point in range(min(points, found.configs))
    ]
    told = "; ".join(
        ", ".join(f"{k} {v}" for k, v in found.options(point).items())
        for point in range(len(shown))
    )
    return figures.contact_sheet(
        torch.cat(shown),
        f"Points of the space, a line each: {told}.",
        "The first points of the search, a line each.",
        pictures,
    )


def rivals(found: Records, profile: Profile) -> Records:
    """Our noise beside what it has to beat, as far as the profile has it."""
    return {
        **found,
        **{
            name: baseline(profile, name)
            for name in RIVALS
            if profile.name in get_row(name).profiles and profile.name != "smoke"
        },
    }


def other_sets(profile: Profile, name: str = OURS) -> figures.Shown:
    """A set against others on the transfer tasks, without the one that it was chosen on: mean gain over chance, and differences."""
    chosen_on = profile.data
    planned = measuring.plans()["transfer"].experiments(profile)
    if name not in {experiment.row.name for experiment in planned}:
        return table(["set"], [["–"]], f"The profile {profile.name} does not measure it.")
    measured = measuring.measured("transfer", profile)
    names = [task for task in sorted(measured[name][0].results) if task != chosen_on]
    gains = units.gains(measured, names)
    body = []
    for other in sorted(measured, key=lambda other: -gains.estimate(other).mean):
        apart = "–" if other == name else points(gains.apart(name, other))
        body.append([html.escape(titled(other, gains)), interval(gains.estimate(other)), apart])
    note = f"Mean of (top-1 − chance)/(1 − chance) over {len(names)} tasks, these fixed, without {chosen_on}; {over_encoders(gains)}"
    return table(
        ["source", "gain over chance, %", f"{get_row(name).title} − it, points"], body, note
    )
