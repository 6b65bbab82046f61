"""Pre-training or initialisation: what an encoder keeps when only statistics of its weights are
kept."""

import math
import re
from collections.abc import Iterator, Mapping
from html import escape

from matplotlib.axes import Axes

from ...measure.initialisation import ArmAccuracy, Initialisation
from ...study import MeasurementRecord, Profile, get_row, measuring, store, units
from ...study.measuring import Measured
from .. import figures, sentences
from ..captions import intervals_over_encoders
from ..figures import INK
from ..html import Html, folded, interval, join, nothing, percent, points, table

NAMES = {
    "random": "as before training",
    "mean and spread": "(a) mean and spread",
    "shuffled": "(b) shuffled",
    "spectrum": "(c) spectrum",
    "first 1": "(d) first layer",
    "first 2": "(d) first two layers",
    "first 3": "(d) first three layers",
    "trained": "as trained",
    "mimetic": "mimetic attention",
}
SAME = {  # as a sentence calls an arm
    "mean and spread": "new weights of the same mean and spread",
    "shuffled": "the same numbers shuffled",
    "spectrum": "new matrices of the same singular values",
    "first 1": "one layer",
    "first 2": "two layers",
    "first 3": "three layers",
}
STATISTICS = ("mean and spread", "shuffled", "spectrum")
LAYERS = ("first 1", "first 2", "first 3")
UNKNOWN = "unknown: there may be no gain"
NO_SHARE = "no gain?"  # in a table, whose caption tells more
NOTHING_KEPT = (
    "Yes, for frozen features: of the gain of training on <i>{title}</i>, new weights with the "
    "same statistics as the trained ones keep nothing that we can see."
)
PART_KEPT = (
    "Yes, for frozen features: of the gain of training on <i>{title}</i>, new weights with the "
    "same statistics as the trained ones keep a part, but not all."
)
NOT_KNOWN = (
    "We cannot tell: of the gain of training on <i>{title}</i>, new weights with the same "
    "statistics as the trained ones may keep all."
)
NO_GAIN_KNOWN = "We cannot tell: there may be no gain of training on <i>{title}</i> to share out."
NO_GAIN = (
    "No: training on <i>{title}</i> makes the features worse, so there is no gain to share out."
)
GAIN = (
    "The gain: with {size} labelled images of each class a linear probe reaches {random} % before "
    "training and {trained} % after it, {gain} points."
)
WEIGHTS = "Of that gain are left: {kept}."
KEPT_LAYERS = "With the first layers as trained and the others as before: {kept}."
TUNED = "When all layers are trained on, with {size} images of each class, are left: {kept}."
NO_GAIN_TUNED = (
    "When all layers are trained on, with {size} images of each class, there may be no gain to "
    "share out."
)
BELOW = "Below zero an encoder is worse than it was before training."
NOT_MEASURED = "No encoder's arms are measured in this profile yet."
SHARES = (
    "Share of the gain, trained − random, that is kept, in per cent [Fieller's 95 % interval]; "
    f"{NO_SHARE} where the gain's own interval holds 0; –: not measured. {{over}}"
)
ACCURACIES = "Top-1 in per cent. {over}"
MIMETIC = (
    "in another network, a ViT, a closed form for attention and positions takes the probe with "
    "{size} labelled images of each class from {random} % to {mimetic} %, {gain} points, before "
    "any training{alone}"
)


def recorded(profile: Profile) -> Measured:
    """The page's records by row: in the study's own profiles, where they take hours, those that are
    there; in others all, made where missing."""
    folder = store.folder(profile, MeasurementRecord) / Initialisation.name
    if profile.is_study and not any(folder.glob("*.json")):
        return {}
    return measuring.measured(Initialisation.name, profile)


def trained_rows(measured: Measured) -> list[str]:
    """Rows whose encoders were trained, so that there is a gain to share out."""
    return [name for name in measured if "trained" in _arms_of(measured, name)]


def _results(measured: Measured, name: str) -> list[ArmAccuracy]:
    return [r for r in measured[name][0].results.values() if isinstance(r, ArmAccuracy)]


def _arms_of(measured: Measured, name: str) -> list[str]:
    """Arms of a row's encoders, in the order of :data:`NAMES`."""
    there = {result.arm for result in _results(measured, name)}
    return [arm for arm in NAMES if arm in there]


def _sizes(measured: Measured, name: str, tuned: bool) -> list[int]:
    """Numbers of labelled images of each class, from few to many."""
    results = _results(measured, name)
    return sorted({r.per_class for r in results if bool(r.epochs) == tuned})


def _columns(measured: Measured, name: str) -> dict[str, units.Units]:
    """A row's arms by way of learning and number of labelled images."""
    return {
        f"{'fine-tuned' if tuned else 'frozen'}, {size:,} a class": units.arms(
            measured[name], size, tuned
        )
        for tuned in (False, True)
        for size in _sizes(measured, name, tuned)
    }


def share(arms: units.Units, arm: str) -> str:
    """What an arm keeps of the gain, in per cent with its interval."""
    kept, low, high = units.kept(arms, arm)
    if not math.isfinite(low) or not math.isfinite(high):
        return UNKNOWN
    return f"{100 * kept:z.0f} % <small>[{100 * low:z.0f}, {100 * high:z.0f}]</small>"


def in_short(measured: Measured) -> Html:
    """The chapter's answer as its opening box, from the first row that was trained."""
    names = trained_rows(measured)
    if not names:
        return sentences.in_short(f"There is no record yet. {NOT_MEASURED}")
    return sentences.in_short(*_lines(measured, names[0]), mimetic_in_words(measured))


def _lines(measured: Measured, name: str) -> Iterator[str]:
    size, title = _sizes(measured, name, tuned=False)[-1], escape(get_row(name).title)
    arms = units.arms(measured[name], size)
    gain = arms.apart("trained", "random")

    def kept(of: units.Units, which: tuple[str, ...]) -> str:
        there = [arm for arm in which if arm in of.values]
        return "; ".join(f"{SAME.get(arm, arm)} {share(of, arm)}" for arm in there)

    yield _answer(arms).format(title=title)
    yield GAIN.format(
        size=f"{size:,}",
        random=percent(arms.estimate("random").mean),
        trained=percent(arms.estimate("trained").mean),
        gain=points(gain),
    )
    if gain.low <= 0:
        return
    lines = [WEIGHTS.format(kept=kept(arms, STATISTICS))]
    if set(LAYERS) & arms.values.keys():
        lines.append(KEPT_LAYERS.format(kept=kept(arms, LAYERS)))
    if tuned := _sizes(measured, name, tuned=True):
        of_tuned = units.arms(measured[name], tuned[-1], tuned=True)
        text = NO_GAIN_TUNED if share(of_tuned, "trained") == UNKNOWN else TUNED
        lines.append(text.format(size=f"{tuned[-1]:,}", kept=kept(of_tuned, STATISTICS)))
    if any(re.search(r" -\d+ %", line) for line in lines):
        lines.insert(1, BELOW)
    yield from lines


def _answer(arms: units.Units) -> str:
    """Whether training teaches more than statistics of its weights hold, by the intervals of what
    each keeps of the gain.
    """
    gain = arms.apart("trained", "random")
    if gain.high < 0:
        return NO_GAIN
    each = [units.kept(arms, arm) for arm in STATISTICS if arm in arms.values]
    if gain.low <= 0 or not each:
        return NO_GAIN_KNOWN
    if not all(high < 1 for _, _, high in each):
        return NOT_KNOWN
    return PART_KEPT if any(low > 0 for _, low, _ in each) else NOTHING_KEPT


def kept_in_words(measured: Measured) -> str:
    """What of the gain on frozen features shuffled weights keep, as a clause; empty where there is
    no record or may be no gain.

    >>> sl.book.pages.initialisation.kept_in_words(measured)  # doctest: +SKIP
    """
    parts = []
    for name in trained_rows(measured):
        arms = units.arms(measured[name], _sizes(measured, name, tuned=False)[-1])
        known = "shuffled" in arms.values and share(arms, "shuffled") != UNKNOWN
        if known and arms.apart("trained", "random").mean > 0:
            parts.append(f"{share(arms, 'shuffled')} with <i>{escape(get_row(name).title)}</i>")
    text = "with the trained weights in a random order, what is left of the gain of training is"
    below = " (below zero: worse than before training)" * any(p.startswith("-") for p in parts)
    return f"{text} {', '.join(parts)}{below}" if parts else ""


def figure(measured: Measured) -> Html:
    """Accuracy by what is kept: frozen, and fine-tuned, each at its most labelled images."""
    names = trained_rows(measured)
    if not names:
        return nothing(NOT_MEASURED)
    panels: dict[str, dict[str, units.Units]] = {}
    for tuned, word in ((False, "frozen"), (True, "fine-tuned")):
        for name in names:
            for size in _sizes(measured, name, tuned)[-1:]:
                of = panels.setdefault(f"{word}, {size:,} a class", {})
                of[name] = units.arms(measured[name], size, tuned)
    drawn, words = [], []
    for title, of in panels.items():
        order = [arm for arm in NAMES if any(arm in arms.values for arms in of.values())]
        panel, axis = figures.new(width=figures.PANEL, height=0.34 * len(order) + 1.3)
        words.append(f"{title}: {_draw(axis, of, order)}")
        axis.set_title(title, fontsize=11, color=INK)
        axis.set_xlabel("top-1, %")
        axis.set_yticks(range(len(order)), [NAMES[arm] for arm in order])
        axis.invert_yaxis()
        drawn.append(panel)
    legend = [figures.Line(row.title, figures.COLOURS[row.family]) for row in map(get_row, names)]
    over = _over(next(iter(panels.values())))
    note = f"Top-1 by what is kept of a trained encoder; dashed: as before training. {over}"
    alt = f"Accuracy by what is kept. {'; '.join(words)}."
    return figures.row_of(drawn, alt, note, legend)


def _draw(axis: Axes, rows: Mapping[str, units.Units], order: list[str]) -> str:
    """One panel; its numbers in words."""
    words = []
    for number, (name, arms) in enumerate(rows.items()):
        row, beside = get_row(name), 0.24 * (number - (len(rows) - 1) / 2)
        colour = figures.COLOURS[row.family]
        for arm in (arm for arm in order if arm in arms.values):
            e, at = arms.estimate(arm), order.index(arm) + beside
            axis.plot([100 * e.low, 100 * e.high], [at, at], color=colour, linewidth=2)
            axis.plot(100 * e.mean, at, "os^D"[number % 4], color=colour, markersize=6)
            words.append(f"{row.title}, {NAMES[arm]} {100 * e.mean:.1f}")
        start = 100 * arms.estimate("random").mean
        axis.axvline(start, color=colour, linewidth=1, linestyle="--", alpha=0.7)
    return ", ".join(words)


def shares(measured: Measured) -> Html:
    """What each arm keeps of the gain, by number of labelled images; below it, folded, the
    accuracies."""
    names = trained_rows(measured)
    if not names:
        return nothing(NOT_MEASURED)
    columns = {name: _columns(measured, name) for name in names}
    several = len(names) > 1
    every = list(dict.fromkeys(title for of in columns.values() for title in of))
    header = [*["source"] * several, "what is kept", *every]
    body, accuracies = [], []
    for name in names:
        for arm in _arms_of(measured, name):
            start = [*[escape(get_row(name).title)] * several, escape(NAMES[arm])]
            of_row = [columns[name].get(title) for title in every]
            accuracies.append([*start, *(_cell(of, arm) for of in of_row)])
            if arm not in ("random", "trained"):
                cells = [share(of, arm) if of and arm in of.values else "–" for of in of_row]
                body.append([*start, *(NO_SHARE if c == UNKNOWN else c for c in cells)])
    over = _over({name: next(iter(of.values())) for name, of in columns.items()})
    whole = table(header, body, SHARES.format(over=over))
    inside = table(header, accuracies, ACCURACIES.format(over=over))
    return join(whole, folded("The accuracies themselves", inside))


def _over(rows: Mapping[str, units.Units]) -> str:
    """What the intervals of rows are over, row by row where they differ in it."""
    words = {name: intervals_over_encoders(arms) for name, arms in rows.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return " ".join(f"Of {escape(get_row(name).title)}: {over}" for name, over in words.items())


def _cell(arms: units.Units | None, arm: str) -> str:
    return interval(arms.estimate(arm)) if arms and arm in arms.values else "–"


def _vit(measured: Measured) -> dict[str, units.Units]:
    """Arms of the ViT by number of labelled images, from few to many; none where it has no
    record."""
    names = [name for name in measured if "mimetic" in _arms_of(measured, name)]
    return _columns(measured, names[0]) if names else {}


def mimetic_in_words(measured: Measured) -> str:
    """What the closed form gains over a random start, at the most labelled images, as a clause;
    empty where it is not measured.

    >>> sl.book.pages.initialisation.mimetic_in_words(measured)  # doctest: +SKIP
    """
    columns = _vit(measured)
    if not columns:
        return ""
    column, arms = list(columns.items())[-1]
    gain = arms.apart("mimetic", "random")
    return MIMETIC.format(
        size=column.split()[1],
        random=percent(arms.estimate("random").mean),
        mimetic=percent(arms.estimate("mimetic").mean),
        gain=points(gain),
        alone=sentences.alone(gain),
    )


def mimetic(measured: Measured) -> Html:
    """A ViT before training, as it is and with mimetic attention, by number of labelled images."""
    columns = _vit(measured)
    if not columns:
        return nothing("No ViT is measured in this profile.")
    body = [
        [NAMES[arm], *(_cell(of, arm) for of in columns.values())] for arm in ("random", "mimetic")
    ]
    apart = (points(of.apart("mimetic", "random")) for of in columns.values())
    body.append(["difference, points", *apart])
    over = intervals_over_encoders(next(iter(columns.values())))
    return table(["start of the ViT", *columns], body, ACCURACIES.format(over=over))
