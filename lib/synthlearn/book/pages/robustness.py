"""Noise as a mixing image: what is mixed into a training, and accuracy under corruptions after
it."""

from collections.abc import Mapping
from html import escape

from torch import Tensor

from ...core.image import resize
from ...measure.corruptions import KINDS, corrupt
from ...measure.robustness import CLEAN, CORRUPTED
from ...study import Experiment, Profile, get_row, units
from ...study.measuring import Measured
from ...study.rules.of_robustness import PLAIN, mixing
from .. import figures
from ..figures import INK
from ..html import Html, count, interval, nothing, percent, points, run_count, table
from ..sentences import in_words
from ..sheets import enlarge, labelled, rows

APART = 0.12  # of a line, between its two marks
SHOWN = 3  # severity of the corruptions on a page
NOTHING = "No classifier is recorded yet."
OVER = "95 % intervals over runs and images."
ONE = "One run of each set, so intervals are over images alone."
WHAT = "a classifier's top-1 under corruptions"
ON_CLEAN = "a classifier's top-1 on clean images"
FIGURE = "Circles: mean over fifteen corruptions; squares: images as they are{dashed}. {over}"
DASHED = "; dashed: corrupted ones without mixing"


def examples(profile: Profile, n: int = 8) -> Tensor:
    """The first test images of the profile's probe: uint8 (n, 3, s, s)."""
    test = Experiment(get_row(PLAIN), profile, 0).probe_data()[1]
    return resize(test.images[:n], profile.crop)


def mixed(lines: Mapping[str, Tensor]) -> Html:
    """Images, float (n, 3, s, s) in [0, 1], a row for each step of mixing."""
    shown = {name: enlarge((x * 255).round().byte(), 2) for name, x in lines.items()}
    caption = (
        "The same images before and after mixing. An image keeps its class, whatever is mixed in."
    )
    return rows(shown, "The same images: " + ", ".join(lines), caption)


def kinds(profile: Profile, index: int = 0) -> Html:
    """A test image under every corruption."""
    image = examples(profile, index + 1)[index:]
    shown = {kind: corrupt(image, kind, SHOWN) for kind in KINDS}
    panels = {_words(kind): enlarge(x, 3)[0] for kind, x in shown.items()}
    return labelled(
        panels,
        "A test image",
        f"One test image under every corruption, at severity {SHOWN} of five.",
    )


def _words(kind: str) -> str:
    proper = {"jpeg": "JPEG", "gaussian_noise": "Gaussian noise"}
    return proper.get(kind, kind.replace("_", " "))


def compare(measured: Measured, a: str, b: str, name_a: str = "", name_b: str = "") -> str:
    """How much better corrupted images are told apart after one set was mixed in than after
    another, as a clause; empty where one of them is not recorded.

    >>> compare(measured, "noise-moire", "random")  # doctest: +SKIP
    """
    if not {a, b} <= measured.keys():
        return ""
    first, second = (
        mixing(PLAIN) if row == PLAIN else f"{name or mixing(row)} mixed in"
        for row, name in ((a, name_a), (b, name_b))
    )
    return in_words(units.corrupted_apart(measured, a, b), first, second, what=WHAT)


def price(measured: Measured, row: str) -> str:
    """How much worse clean images are named after a set was mixed in than after no mixing, as a
    clause; empty where one of them is not recorded.

    >>> price(measured, "noise-moire")  # doctest: +SKIP
    """
    if not {row, PLAIN} <= measured.keys():
        return ""
    e = units.part(measured, CLEAN).apart(row, PLAIN)
    return in_words(e, f"{mixing(row)} mixed in", mixing(PLAIN), what=ON_CLEAN)


def _order(of: units.Units) -> list[str]:
    return sorted(of.values, key=lambda name: -of.estimate(name).mean)


def _over(of: units.Units) -> str:
    return OVER if of.spread.df else ONE


def figure(measured: Measured) -> Html:
    """Top-1 under corruptions and on clean images by what was mixed in; one sentence where there is
    no record."""
    if not measured:
        return nothing(NOTHING)
    of, clean = (units.part(measured, name) for name in (CORRUPTED, CLEAN))
    order = _order(of)
    drawn, axis = figures.new(height=0.42 * len(order) + 1.2)
    for at, name in enumerate(order):
        colour = figures.COLOURS[get_row(name).family]
        both = (at - APART, "o", of.estimate(name)), (at + APART, "s", clean.estimate(name))
        for y, mark, e in both:
            axis.plot([100 * e.low, 100 * e.high], [y, y], color=colour, linewidth=2.5)
            axis.plot(100 * e.mean, y, mark, color=colour, markersize=7)
    if PLAIN in order:
        plain = 100 * of.estimate(PLAIN).mean
        axis.axvline(plain, color=INK, linewidth=1, linestyle="--", alpha=0.6)
    axis.set_yticks(range(len(order)), [mixing(name) for name in order])
    axis.invert_yaxis()
    axis.set_xlabel("top-1 accuracy, %")
    words = "; ".join(
        f"{mixing(name)} {percent(of.estimate(name).mean)} and {percent(clean.estimate(name).mean)}"
        for name in order
    )
    alt = f"Top-1 in per cent under corruptions and on clean images: {words}."
    dashed = DASHED * (PLAIN in order)
    return figures.svg(drawn, alt, FIGURE.format(dashed=dashed, over=_over(of)))


def results(measured: Measured) -> Html:
    """The same as a table, with the distance to a training without mixing."""
    if not measured:
        return nothing(NOTHING)
    of, clean = (units.part(measured, name) for name in (CORRUPTED, CLEAN))
    body = []
    for name in _order(of):
        apart = "–"
        if name != PLAIN and PLAIN in measured:
            apart = points(units.corrupted_apart(measured, name, PLAIN))
        body.append(
            [
                escape(mixing(name)),
                interval(of.estimate(name)),
                apart,
                interval(clean.estimate(name)),
                run_count(len(of.values[name])),
            ]
        )
    header = ["mixed in", "corrupted, %", "gain over no mixing, points", "clean, %", "runs"]
    note = f"Top-1 on {count(of.n, 'image')}, each in one severity of every kind. {_over(of)}"
    return table(header, body, note)


def by_kind(measured: Measured) -> Html:
    """Top-1 under each kind of corruption, a column for what was mixed in."""
    if not measured:
        return nothing(NOTHING)
    order = _order(units.part(measured, CORRUPTED))
    body = [
        [_words(kind), *(percent(of.estimate(name).mean) for name in order)]
        for kind in KINDS
        for of in (units.part(measured, kind),)
    ]
    header = ["top-1, %", *map(mixing, order)]
    return table(header, body, "Means over runs.")
