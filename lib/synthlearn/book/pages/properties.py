"""The page on properties: what sets of pictures have, and what goes with accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from ...core import stats
from ...study import Profile, get_row, measuring
from ...study.measuring import Measured
from ...study.records import MeasurementRecord
from ...study.sets import Drawn, two_sides
from .. import figures
from ..captions import Records
from ..html import Html, table

# parts of the measurement, in the words of the page
PROPERTIES = {
    "frechet": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "log_volume": "log volume",
    "effective_rank": "effective rank",
    "colour_kl": "colour: symmetric KL to real images",
    "spectrum": "spectrum's slope",
    "coherence": "two-view coherence",
    "retrieval": "two-view retrieval",
    "colour_coherence": "coherence of mean colour",
}
PLOTTED = ("frechet", "recall", "log_volume", "spectrum")
# parts of both eyes, each a column of two
SEEN = ("frechet", "precision", "recall", "coverage", "log_volume")
DIVERSITY = ("log_volume", "recall", "effective_rank")
EYES = ("our encoder", "ImageNet classifier")
NO_EYE = (
    "No record of the ImageNet classifier's in this profile: it needs the extra "
    "<code>reference</code> (<code>pip install -e '.[reference]'</code>), and is measured in "
    "profile cpu."
)
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
    note += f"{pictures} pictures of each set; k = 5. Not FID: no Inception weights are involved."
    return table(["set", *PROPERTIES.values()], body, note, sortable=True)


def correlations(measured: Measured, records: Records) -> Html:
    """Pearson and Spearman correlation of each property with accuracy over the synthetic sets, with
    bootstrap intervals over sets; Holm over properties.
    """
    sets = join(measured, records)
    if len(sets.names) < LEAST_SETS:
        note = "Fewer than four synthetic sets with records: no correlation."
        return table(["sets"], [[str(len(sets.names))]], note)
    both = {
        key: [stats.correlation(x, sets.accuracy, kind) for kind in ("pearson", "spearman")]
        for key, x in sets.values.items()
    }
    p = [stats.permutation_p(x, sets.accuracy) for x in sets.values.values()]
    clear = dict(zip(both, stats.holm(p), strict=True))
    body = []
    for key in sorted(both, key=lambda key: -abs(both[key][1][0])):
        cells = [f"{r:+.2f} <small>[{low:+.2f}, {high:+.2f}]</small>" for r, low, high in both[key]]
        body.append([PROPERTIES[key], *cells, "✓" if clear[key] else "–"])
    header = ["property", "Pearson with accuracy", "Spearman with accuracy", "more than chance"]
    note = f"Over {len(sets.names)} synthetic sets, real images and mixtures left out; "
    note += "intervals: bootstrap over sets. Last column: Spearman's permutation test, "
    note += "Holm's rule over the properties."
    return table(header, body, note, sortable=True)


def neutral(profile: Profile) -> Measured:
    """Committed records of the ImageNet classifier's by row: what it needs may not be installed, so
    that none is made."""
    return measuring.committed(profile.name)["neutral"]


def eyes_table(own: Measured, neutral: Measured) -> Html:
    """Properties of every set in our own encoder's eyes and in the ImageNet classifier's; and how
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
    note += f"224 px; {first[1].results['frechet'].n:,} pictures of each set. "
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
        cells.append(f"{rho:+.2f} <small>[{low:+.2f}, {high:+.2f}]</small>")
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
    return f"{drawn.value:+.2f} <small>[{low:+.2f}, {high:+.2f}]</small>"


def properties_figure(
    measured: Measured, records: Records, plotted: Sequence[str] = PLOTTED
) -> Html:
    """Accuracy against some properties, a mark per synthetic set in its family's colour; real
    images as a star.
    """
    sets, n = join(measured, records), len(plotted)
    figure, axes = figures.new(n, width=2.1 * n + 0.8, height=2.9, sharey=True, squeeze=False)
    for axis, key in zip(axes[0], plotted, strict=True):
        for family, x, y in zip(sets.families, sets.values[key], sets.accuracy, strict=True):
            axis.plot(x, 100 * y, "o", color=figures.COLOURS[family], markersize=7)
        if "real" in measured and "real" in records:
            x, y = measured["real"][0].value(key).value, records["real"].accuracy().mean
            axis.plot(x, 100 * y, "*", color=figures.COLOURS["real"], markersize=12)
        axis.set_xlabel(PROPERTIES[key], fontsize=9)
    axes[0][0].set_ylabel("top-1, %")
    figure.legend(
        handles=_family_handles(axes[0][0], sets.families),
        loc="outside lower center",
        ncols=4,
        labelcolor=figures.INK,
        fontsize=9,
        frameon=False,
    )
    note = "One mark per synthetic set, colour by family; star: real images."
    return figures.svg(figure, f"Accuracy against properties. {_words(sets, plotted)}.", note)


def _family_handles(axis: Axes, families: Sequence[str]) -> list[Artist]:
    colours = {family: figures.COLOURS[family] for family in families}
    return [
        axis.plot([], [], "o", color=colour, label=family.replace("_", " "))[0]
        for family, colour in colours.items()
    ]


def _words(sets: Joined, plotted: Sequence[str]) -> str:
    sentences = []
    for i, name in enumerate(sets.names):
        values = ", ".join(f"{PROPERTIES[key]} {sets.values[key][i]:.3g}" for key in plotted)
        sentences.append(f"{get_row(name).title} {100 * sets.accuracy[i]:.1f} %: {values}")
    return "; ".join(sentences)
