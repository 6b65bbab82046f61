"""The page on properties: what sets of pictures have, and what goes with accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from matplotlib.patches import Circle

from ...core import rng, stats
from ...measure.properties import NEIGHBOURS, neighbourhoods
from ...study import Profile, get_row, measuring
from ...study.measuring import Measured
from ...study.records import MeasurementRecord
from ...study.sets import Drawn, two_sides
from .. import figures
from ..captions import Records
from ..html import Html, percent, span, table
from .stored import FAMILIES

# parts of the measurement, in the words of the page
PROPERTIES = {
    "frechet": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "log_volume": "log volume",
    "effective_rank": "effective rank",
    "colour_kl": "colours' divergence",
    "spectrum": "spectrum's slope",
    "coherence": "two-view coherence",
    "retrieval": "two-view retrieval",
    "colour_coherence": "coherence of mean colour",
}
# what each is, and whether real images are asked
DEFINITIONS = {
    "frechet": ("distance between the Gaussians with the moments of both sets", True),
    "precision": ("share of the set's images that lie within the balls of real ones", True),
    "recall": ("share of real images that lie within the balls of the set's", True),
    "density": ("balls of real images that hold an image of the set, divided by k", True),
    "coverage": ("share of real images whose ball holds an image of the set", True),
    "log_volume": ("half the log determinant of the features' covariance", False),
    "effective_rank": ("number of directions that carry the covariance", False),
    "colour_kl": ("divergence of the histograms of L*a*b* colours, both ways", True),
    "spectrum": ("slope of log power over log frequency", False),
    "coherence": ("cosine of two views of an image, minus that of two images", False),
    "retrieval": ("share of views whose nearest view is of the same image", False),
    "colour_coherence": ("coherence of the views' mean colours, without an encoder", False),
}
PLOTTED = ("recall", "frechet", "log_volume", "spectrum")
# parts of both eyes, each a column of two
SEEN = ("frechet", "precision", "recall", "coverage", "log_volume")
DIVERSITY = ("log_volume", "recall", "effective_rank")
EYES = ("our encoder", "ImageNet classifier")
NO_EYE = (
    "The ImageNet classifier has no record in this profile yet: it needs the extra "
    "<code>reference</code> (<code>pip install -e '.[reference]'</code>), and is measured in "
    "profile cpu."
)
REAL, SET = figures.LINES[4], figures.LINES[0]  # colours of two sets of points
LEAST_SETS, LEAST_PARTIAL = 4, 6  # that a correlation, and a partial one, needs; chosen here


@dataclass(frozen=True)
class Joined:
    """Synthetic sets with both properties and runs: accuracies, and each property's values, in the
    order of the names.
    """

    names: list[str]
    accuracy: np.ndarray
    values: dict[str, np.ndarray]

    @property
    def families(self) -> list[str]:
        """Family of each set."""
        return [get_row(name).family for name in self.names]


def join(measured: Measured, records: Records, keys: Sequence[str] = tuple(PROPERTIES)) -> Joined:
    """The synthetic sets with both properties and runs, but variants and mixtures of sets."""
    names = [name for name in sorted(measured.keys() & records.keys()) if _is_set(name)]
    values = {key: np.array([measured[name][0].value(key).value for name in names]) for key in keys}
    return Joined(names, np.array([records[name].accuracy().mean for name in names]), values)


def properties_table(measured: Measured) -> Html:
    """Every property of every set, and of as many real images that are not the reference."""
    first = next(iter(measured.values()))[0]
    real = [f"{first.value(key).real:.3g}" for key in PROPERTIES]
    body = [["<i>real images, another sample</i>", *real]]
    for name, (record, *_) in measured.items():
        values = [f"{record.value(key).value:.3g}" for key in PROPERTIES]
        body.append([escape(get_row(name).title), *values])
    counts = {record.results["frechet"].n for every in measured.values() for record in every}
    pictures = ", ".join(f"{n:,}" for n in sorted(counts))
    note = f"Features: {first.spec.tap} of the encoder trained on real images (seed 0), "
    note += f"{pictures} images of each set; k = 5. Not FID: no Inception weights are involved."
    return table(["set", *PROPERTIES.values()], body, note, sortable=True)


def definitions() -> Html:
    """What each property is, and whether it asks real images.

    >>> sl.book.pages.properties.definitions()  # doctest: +SKIP
    """
    lines = [
        [PROPERTIES[key], "real images" if asks else "the set alone", what]
        for key, (what, asks) in DEFINITIONS.items()
    ]
    return table(["property", "looks at", "what it is"], lines)


def _correlated(
    measured: Measured, records: Records
) -> tuple[Joined, dict[str, list[tuple[float, float, float]]]]:
    """The sets, and each property's Pearson and Spearman correlation with accuracy over them, the
    strongest first; none over too few sets.
    """
    sets = join(measured, records)
    if len(sets.names) < LEAST_SETS:
        return sets, {}
    both = {
        key: [stats.correlation(x, sets.accuracy, kind) for kind in ("pearson", "spearman")]
        for key, x in sets.values.items()
        if x.min() < x.max()  # what is the same for all sets goes with nothing
    }
    order = sorted(both, key=lambda key: -abs(both[key][1][0]))
    return sets, {key: both[key] for key in order}


def correlations(measured: Measured, records: Records) -> Html:
    """Pearson and Spearman correlation of each property with accuracy over the synthetic sets, with
    bootstrap intervals over sets; Holm over properties.
    """
    sets, both = _correlated(measured, records)
    if not both:
        note = "Fewer than four synthetic sets with records: no correlation."
        return table(["sets"], [[str(len(sets.names))]], note)
    p = [stats.permutation_p(sets.values[key], sets.accuracy) for key in both]
    clear = dict(zip(both, stats.holm(p), strict=True))
    body = []
    for key, each in both.items():
        pearson, spearman = (f"{r:+z.2f} {span(f'{a:+z.2f}', f'{b:+z.2f}')}" for r, a, b in each)
        body.append([PROPERTIES[key], spearman, pearson, "✓" if clear[key] else "–"])
    header = ["property", "Spearman with accuracy", "Pearson", "more than chance"]
    note = f"Over {len(sets.names)} synthetic sets; real images and mixtures are left out. "
    note += "Intervals: bootstrap over sets. Last column: Spearman's permutation test, "
    note += "Holm's procedure over the properties."
    return table(header, body, note, sortable=True)


def strongest(measured: Measured, records: Records) -> str:
    """With which property accuracy goes most, and with which least, as a clause; empty over too
    few sets.

    >>> sl.book.pages.properties.strongest(measured, records)  # doctest: +SKIP
    """
    sets, both = _correlated(measured, records)
    if len(both) < 2:
        return ""
    most, *_, least = both
    top, bottom = both[most][1], both[least][1]
    text = f"over {len(sets.names)} synthetic sets, accuracy has its closest rank correlation with "
    text += f"{PROPERTIES[most]} ({_interval(top)}) and its weakest with {PROPERTIES[least]} "
    return f"{text}({_interval(bottom)})"


def _interval(r: tuple[float, float, float]) -> str:
    return f"{r[0]:+z.2f} {span(f'{r[1]:+z.2f}', f'{r[2]:+z.2f}')}"


def held_fixed(measured: Measured, records: Records, key: str = "log_volume") -> str:
    """How accuracy goes with diversity among sets that are equally near to real images, and with
    nearness among equally diverse ones, as a clause; empty over too few sets.

    >>> sl.book.pages.properties.held_fixed(measured, records)  # doctest: +SKIP
    """
    sets = join(measured, records, ("frechet", key))
    if len(sets.names) < LEAST_PARTIAL:
        return ""
    wide, near = two_sides(sets.accuracy, sets.values[key], sets.values["frechet"])
    lows = [each.interval[0] for each in (wide, near)]
    text = "among sets equally near to real images, the rank correlation of accuracy with "
    text += f"{PROPERTIES[key]} is {_cell(wide)}; among sets of equal {PROPERTIES[key]}, its "
    text += f"correlation with nearness is {_cell(near)}"
    which = {(True, False): "only the first", (False, True): "only the second"}
    both = "both are" if all(low > 0 for low in lows) else "neither is"
    clear = which.get((lows[0] > 0, lows[1] > 0))
    return f"{text}; {f'{clear} is' if clear else both} surely above 0"


def in_balls(measured: Measured, name: str = "noise-white") -> Html:
    """Why a set of images that are all alike may have a high precision: in how few balls of real
    images they lie, as a paragraph.

    >>> sl.book.pages.properties.in_balls(measured)  # doctest: +SKIP
    """
    if name not in measured:
        return Html("", "")
    record = measured[name][0]
    density, covered = record.value("density"), record.value("coverage")
    text = (
        f"Here {percent(record.value('precision').value)} % of {get_row(name).title} lies in some "
        f"ball of a real image. But one image lies in {NEIGHBOURS * density.value:.1f} of the "
        f"{density.n:,} balls on average, where a real image lies in "
        f"{NEIGHBOURS * density.real:.1f}; and of all real images, "
        f"{percent(covered.value)} % have any of it in their ball."
    )
    return Html(f"<p>{text}</p>", text)


def balls_figure() -> Html:
    """Points of two made-up sets with the balls of one: a set that is as varied as the real one,
    and one whose images are all alike, seen by precision and by recall.

    >>> sl.book.pages.properties.balls_figure()  # doctest: +SKIP
    """
    real = rng.normal(rng.key("balls", 0), (40, 2)) * torch.tensor([1.6, 1.0])
    other = rng.normal(rng.key("balls", 1), (40, 2))
    sets = {"as varied": other * torch.tensor([1.4, 0.9]) + 0.4, "all alike": 0.1 * other}
    drawn, words = [], []
    for name, points in sets.items():
        numbers = neighbourhoods(real, points, k=3)
        for what, centres, colour in (("precision", real, REAL), ("recall", points, SET)):
            figure, axis = figures.new(width=figures.PANEL, height=2.5)
            radius = torch.cdist(centres, centres).kthvalue(4, 1).values
            for centre, r in zip(centres.tolist(), radius.tolist(), strict=True):
                axis.add_patch(Circle(centre, r, facecolor=colour, alpha=0.13, linewidth=0))
            for x, c, mark in ((real, REAL, "o"), (points, SET, "s")):
                axis.plot(*x.T.tolist(), mark, color=c, markersize=4)
            axis.set_title(f"{name}: {what} {numbers[what]:.2f}", fontsize=11, color=figures.INK)
            axis.set_xlim(-6.6, 6.6)
            axis.set_ylim(-4.5, 4.5)
            axis.set_aspect("equal")
            axis.set_axis_off()
            drawn.append(figure)
            words.append(f"{name} {what} {numbers[what]:.2f}")
    legend = [figures.Line("real images", REAL), figures.Line("synthetic images", SET)]
    note = "Made-up features in two dimensions, k = 3. Precision: balls around real images, "
    note += "and which synthetic images they hold. Recall: balls around synthetic images. "
    note += "Images that are all alike fall into the balls of real ones, but their own balls hold "
    note += "next to none."
    alt = f"Points and balls around them. {'; '.join(words)}."
    return figures.row_of(drawn, alt, note, legend)


def neutral(profile: Profile) -> Measured:
    """Committed records of the ImageNet classifier's by row: what it needs may not be installed, so
    that none is made."""
    return measuring.committed(profile.name)["neutral"]


def eyes_table(own: Measured, neutral: Measured) -> Html:
    """Properties of every set in our own encoder's eyes and in the ImageNet classifier's, and how
    far the two rank the synthetic sets alike.
    """
    if not neutral:
        return Html(f"<p>{NO_EYE}</p>", NO_EYE)
    both = [name for name in own if name in neutral]
    first = [next(iter(eye.values()))[0] for eye in (own, neutral)]
    body = [["<i>real images, another sample</i>", *_pairs(first, "real")]]
    for name in both:
        body.append([escape(get_row(name).title), *_pairs([own[name][0], neutral[name][0]])])
    synthetic = [name for name in both if _is_set(name)]
    if len(synthetic) >= LEAST_SETS:
        body.append(["<i>rank correlation of the two eyes</i>", *_alike(own, neutral, synthetic)])
    header = ["set", *(f"{PROPERTIES[key]}: {', '.join(EYES)}" for key in SEEN)]
    note = f"Each cell: in features of {EYES[0]} (seed 0, {first[0].spec.tap}), and of an "
    note += f"{EYES[1]} (EfficientNet-Lite0, 320 numbers of its last block), images enlarged to "
    note += f"224 px; {first[1].results['frechet'].n:,} images of each set. "
    note += "Values of the two eyes have no common scale. Last line: Spearman over the synthetic "
    note += "sets, bootstrap over sets."
    return table(header, body, note)


def _pairs(records: Sequence[MeasurementRecord], field: str = "value") -> list[str]:
    return [", ".join(f"{getattr(r.value(key), field):.3g}" for r in records) for key in SEEN]


def _alike(own: Measured, neutral: Measured, names: Sequence[str]) -> list[str]:
    cells = []
    for key in SEEN:
        a, b = (np.array([eye[n][0].value(key).value for n in names]) for eye in (own, neutral))
        rho, low, high = stats.correlation(a, b)
        cells.append(f"{rho:+z.2f} <small>[{low:+z.2f}, {high:+z.2f}]</small>")
    return cells


def _is_set(name: str) -> bool:
    """Whether a row is a synthetic set by itself: no variant, no mixture."""
    row = get_row(name)
    return not row.is_variant and row.kind == "generator" and row.family != "mixture"


def partials(own: Measured, neutral: Measured, records: Records) -> Html:
    """Partial rank correlations of accuracy with diversity and with nearness, each with the other
    held fixed, in both eyes.
    """
    body, counts = [], set()
    for eye, measured in zip(EYES, (own, neutral), strict=True):
        joined = join(measured, records, ("frechet", *DIVERSITY))
        if len(joined.names) < LEAST_PARTIAL:
            continue
        counts.add(len(joined.names))
        for key in DIVERSITY:
            wide, near = two_sides(joined.accuracy, joined.values[key], joined.values["frechet"])
            numbers = [_cell(each) for each in (wide, near, wide - near)]
            body.append([eye, PROPERTIES[key], *numbers])
    if not body:
        note = "Fewer than six synthetic sets with records: no partial correlation."
        return table(["sets"], [[str(len(own))]], note)
    header = ["in the eyes of", "diversity", "accuracy with diversity, at equal distance"]
    header += ["accuracy with nearness, at equal diversity", "difference"]
    number = " and ".join(map(str, sorted(counts)))
    note = f"Spearman's partial correlations over {number} synthetic sets; nearness: the Fréchet "
    note += "distance to real images with its sign turned. 95 % intervals: bootstrap over sets."
    return table(header, body, note)


def _cell(drawn: Drawn) -> str:
    low, high = drawn.interval
    return f"{drawn.value:+z.2f} <small>[{low:+z.2f}, {high:+z.2f}]</small>"


def properties_figure(
    measured: Measured, records: Records, plotted: Sequence[str] = PLOTTED
) -> Html:
    """Accuracy against some properties, a panel each and a mark per synthetic set in its family's
    colour; real images as a star.
    """
    sets, drawn = join(measured, records), []
    for key in plotted:
        figure, axis = figures.new(width=figures.PANEL, height=2.7)
        for family, x, y in zip(sets.families, sets.values[key], sets.accuracy, strict=True):
            axis.plot(x, 100 * y, "o", color=figures.COLOURS[family], markersize=7)
        if "real" in measured and "real" in records:
            x, y = measured["real"][0].value(key).value, records["real"].accuracy().mean
            axis.plot(x, 100 * y, "*", color=figures.COLOURS["real"], markersize=12)
        axis.set_xlabel(PROPERTIES[key])
        axis.set_ylabel("top-1, %")
        drawn.append(figure)
    legend = [
        figures.Line(FAMILIES[family], figures.COLOURS[family])
        for family in dict.fromkeys(sets.families)
    ]
    note = "One mark per synthetic set, in the colour of its family; star: real images. "
    note += "What to see: in which panel the marks lie along one line."
    alt = f"Accuracy against properties. {_words(sets, plotted)}."
    return figures.row_of(drawn, alt, note, legend)


def _words(sets: Joined, plotted: Sequence[str]) -> str:
    sentences = []
    for i, name in enumerate(sets.names):
        values = ", ".join(f"{PROPERTIES[key]} {sets.values[key][i]:.3g}" for key in plotted)
        sentences.append(f"{get_row(name).title} {100 * sets.accuracy[i]:.1f} %: {values}")
    return "; ".join(sentences)
