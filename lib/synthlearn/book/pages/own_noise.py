"""Our own noise: how it was searched, and what it is worth beside others."""

import itertools
from collections.abc import Mapping, Sequence
from html import escape

from ...generators import generator
from ...study import Profile, get_row, measuring, resolve, search, units
from ...study.jobs import baseline
from ...study.search import Search, Standing
from .. import figures
from ..captions import Records, encoder_title, intervals_over_encoders
from ..html import Html, interval, nothing, points, table
from ..sheets import rows

OURS = "collage-found"
# what it has to beat
RIVALS = (
    "stylegan-oriented",
    "feature_vis-dead_leaves",
    "mixture-four",
    "mixed-cutmix",
    "programs-100",
    "random",
    "real",
)
EFFECTS = (
    "Mean of the points with a value − mean of the others; in brackets how many points have it. "
    "95 % bootstrap intervals over points."
)
LAST_RUNG = (
    "Runs with seeds {seeds}. Chosen: how often the point is the best when runs and images are "
    "drawn again."
)
GAINS = (
    "Mean of (top-1 − chance)/(1 − chance) over {tasks} tasks, without {chosen_on}, on which "
    "the set was chosen; the tasks count as fixed; "
    "{over}"
)


def outcome(profile: Profile) -> tuple[Search, list[Standing]]:
    """The search and how its points stand, rung by rung: a tiny one in the smoke profile, else the
    committed one.
    """
    smoke = profile.name == "smoke"
    space = search.get_search("collage", "smoke" if smoke else "cpu")
    return space, search.search_all(space, profile if smoke else resolve("cpu"))


def sheet(space: Search, points: int = 6, images: int = 7, size: int = 80) -> Html:
    """The first points of the search, a line each.

    >>> sheet(space)  # doctest: +SKIP
    """
    lines = {}
    for point in range(min(points, space.configs)):
        options = space.options(point)
        source = generator(space.generator, **options)
        lines[f"point {point}: {in_words(options)}"] = source.sample(range(images), size)
    caption = "The first points of the search: each is a choice of options, and a set of images."
    return rows(lines, f"{images} collages of shapes, with or without a field on them", caption)


def in_words(options: Mapping[str, object]) -> str:
    """Options of a point without those that do nothing there."""
    field = options.get("field")
    idle = {
        "amplitude": field == "none",
        "slope": field != "spectrum",
        "field": field == "none",
        "rule": options.get("rule") == "none",
    }
    return ", ".join(f"{name} {value}" for name, value in options.items() if not idle.get(name))


def halving_figure(space: Search, rungs: Sequence[Standing]) -> Html:
    """Accuracy of every tried point, rung by rung; lines join the points that went on."""
    figure, axis = figures.new(height=3.6)
    best = rungs[-1][0][0]
    scores = [{point: 100 * right.mean() for point, right in rung} for rung in rungs]
    for point in scores[0]:
        line = [each[point] for each in scores if point in each]
        won = point == best
        colour, alpha, width = (figures.LINES[1], 1, 2) if won else (figures.LINES[0], 0.45, 1)
        x = range(1, len(line) + 1)
        axis.plot(x, line, "o-", color=colour, alpha=alpha, linewidth=width)
    ticks = [
        f"{len(each)} points,\n{rung.n_images:,} × {rung.epochs}"
        for each, rung in zip(scores, space.rungs, strict=True)
    ]
    axis.set_xticks(range(1, len(rungs) + 1), ticks)
    axis.set_ylabel("top-1 on the deciding half, %")
    each_rung = "; ".join(
        f"rung {i + 1}: {len(s)} points from {min(s.values()):.1f} to {max(s.values()):.1f} %"
        for i, s in enumerate(scores)
    )
    alt = f"Successive halving. {each_rung}; point {best} wins."
    axis.set_xlabel("points that are left, images × epochs")
    note = f"Every tried point; orange: point {best}, which won. Lines join points that went on."
    return figures.svg(figure, alt, note)


def finalists(space: Search, rungs: Sequence[Standing]) -> Html:
    """The last rung: options, accuracy by seed, and how often each would have won with other seeds
    and images.
    """
    shares = search.choices(rungs[-1])
    body = [
        [
            str(point),
            f"{100 * right.mean():.1f}",
            ", ".join(f"{100 * x:.1f}" for x in right.mean(1)),
            f"{100 * shares[point]:.0f}",
            in_words(space.options(point)),
        ]
        for point, right in rungs[-1]
    ]
    header = ["point", "mean, %", "each run, %", "chosen, %", "options"]
    seeds = ", ".join(map(str, space.rungs[-1].seeds))
    return table(header, body, LAST_RUNG.format(seeds=seeds))


def effects_figure(space: Search, rung: Standing) -> Html:
    """What each value of each option does: mean of the points that have it − mean of the others,
    over the first rung.
    """
    effects = search.effects(space, rung)
    if not effects:
        few = "Too few points to compare values of an option."
        return table(["points"], [[str(len(rung))]], few)
    figure, axis = figures.new(height=0.28 * len(effects) + 1.2)
    colours = dict(zip(space.space, itertools.cycle(figures.LINES), strict=False))
    for i, e in enumerate(effects):
        axis.plot([100 * e.low, 100 * e.high], [i, i], color=colours[e.option], linewidth=2)
        axis.plot(100 * e.mean, i, "o", color=colours[e.option])
    axis.axvline(0, color=figures.INK, linewidth=1, linestyle="--")
    ticks = [f"{e.option} {e.value} ({e.configs})" for e in effects]
    axis.set_yticks(range(len(effects)), ticks)
    axis.invert_yaxis()
    axis.set_xlabel("top-1 against the other points, points")
    each = "; ".join(
        f"{e.option} {e.value} {100 * e.mean:+z.1f} [{100 * e.low:+z.1f}, {100 * e.high:+z.1f}]"
        for e in effects
    )
    return figures.svg(figure, f"What options do: {each}.", EFFECTS)


def rivals(records: Records, profile: Profile) -> Records:
    """Our noise beside what it has to beat, as far as the profile has it."""
    others = [name for name in RIVALS if profile.name in get_row(name).profiles]
    if profile.name == "smoke":
        return dict(records)
    return {**records, **{name: baseline(profile, name) for name in others}}


def other_sets(profile: Profile, name: str = OURS) -> Html:
    """A set against others on the transfer tasks, without the one that it was chosen on: mean gain
    over chance, and differences.
    """
    measured_rows = {e.row.name for e in measuring.plans()["transfer"].experiments(profile)}
    if name not in measured_rows:
        return nothing(f"The profile {profile.name} does not measure it.")
    measured = measuring.measured("transfer", profile)
    tasks = [task for task in sorted(measured[name][0].results) if task != profile.data]
    gains = units.gains(measured, tasks)
    body = []
    for other in sorted(measured, key=lambda other: -gains.estimate(other).mean):
        apart = "–" if other == name else points(gains.apart(name, other))
        body.append([escape(encoder_title(other, gains)), interval(gains.estimate(other)), apart])
    header = ["source", "gain over chance, %", f"{get_row(name).title} ahead, points"]
    over = intervals_over_encoders(gains)
    note = GAINS.format(tasks=len(tasks), chosen_on=profile.data, over=over)
    return table(header, body, note)
