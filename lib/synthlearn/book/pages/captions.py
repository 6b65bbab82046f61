"""Captions and the images that are drawn for them: what they tell, samples, near-copies.

Images come from the source that a row trains on, see :func:`mosaics`.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import TypeVar

import torch

from ... import data
from ...core.image import resize
from ...study import Experiment, Profile, get_row
from ...text2image import Learned, Mosaic, mutual_information
from ...text2image.captions import CaptionSource
from .. import figures
from ..captions import Records
from ..html import Html, nothing, table
from ..sheets import rows
from ..sweeps import chosen
from ..tables import ablation
from . import kept

SIDE = 48  # of samples on a sheet, in pixels
MODELS = {"learned": "samples of the learned model", "mosaic-named": "mosaics"}
INFORMATION = (
    "Bits: the mutual information of caption and class, of {every:.2f} that there are. Bias: what "
    "shuffled captions seem to tell."
)
CLASS = "the class itself"
# images → captions → the row that reads them and the row of SimCLR on the same images
GAINS = {
    "learned model": {
        "colour": ("learned-colour.stablerep", "learned-colour"),
        "named": ("learned.stablerep_w2", "learned.w2"),
        CLASS: ("learned.supcon", "learned.w2"),
    },
    "mosaics": {
        "shuffled": ("mosaic-named.shuffled", "mosaic-named"),
        "colour": ("mosaic-colour.stablerep", "mosaic-colour"),
        "learned": ("mosaic-learned.stablerep", "mosaic-learned"),
        "named": ("mosaic-named.stablerep", "mosaic-named"),
        CLASS: ("mosaic-named.supcon", "mosaic-named"),
    },
    "real images": {
        "named": ("real.captioned", "real.simclr_sharp"),
        CLASS: ("real.supcon", "real.simclr_sharp"),
    },
}
OFFSET = 0.18  # of a column, between the marks of two models
BITS_NOTE = (
    "Circles: top-1 of StableRep less SimCLR's on the same images, by kind of captions; below each "
    "kind its bits, less what chance seems to tell. Squares: SupCon, which is given the class "
    "itself. 95 % intervals over runs and images."
)
S = TypeVar("S", bound=CaptionSource)


def captioned(profile: Profile, row: str) -> CaptionSource:
    """The source of a row of captioned pictures."""
    source = Experiment(get_row(row), profile, 0).source()
    assert isinstance(source, CaptionSource)
    return source


def mosaics(profile: Profile, kind: str = "named") -> Mosaic:
    """The model of the row ``mosaic-KIND``."""
    source = captioned(profile, f"mosaic-{kind}")
    assert isinstance(source, Mosaic)
    return source


def learned(profile: Profile) -> Learned:
    """The model that the profile trains from scratch; this does not train it.

    >>> learned(p)  # doctest: +SKIP
    """
    row = get_row("learned")
    source = data.source("learned", **row.source_options(row.settings(profile)))
    assert isinstance(source, Learned)
    return source


def has_learned(profile: Profile) -> bool:
    """Whether there are samples of the learned model: some are kept, it has been trained, or it is
    so small that a page may train it.

    >>> has_learned(p)  # doctest: +SKIP
    """
    source = learned(profile)
    return not profile.is_study or kept.has(source) or source.path().exists()


def shown(profile: Profile) -> tuple[str, CaptionSource]:
    """The row whose images a page shows, and its source: the learned model, or mosaics until that
    has been trained.
    """
    if has_learned(profile):
        return "learned", learned(profile)
    return "mosaic-named", mosaics(profile)


def information(profile: Profile, kind: str) -> tuple[float, float]:
    """How many bits captions of a kind tell about the class, less what chance seems to tell, and
    how many there are to tell.
    """
    images, captions = mosaics(profile, kind).real()
    bits, bias = mutual_information(captions.ids, images.labels)
    return max(bits - bias, 0.0), math.log2(len(images.classes))


def guided(source: S, w: float) -> S:
    """The same source under guidance ``w``."""
    return type(source)(**{**vars(source.options), "w": w})


def narrow_sheet(profile: Profile, times: int = 10, columns: int = 8) -> Html:
    """Real images of a caption, and of one of ``times`` as many captions: a finer grouping.

    >>> narrow_sheet(p)  # doctest: +SKIP
    """
    model, lines = mosaics(profile), {}
    for number in (model.options.number, times * model.options.number):
        source = type(model)(**{**vars(model.options), "number": number})
        images, captions = source.real()
        c = int(captions.ids[0])
        own = images.images[captions.ids == c][:columns]
        lines[f"{number} captions: {captions.texts[c]}"] = resize(own, SIDE)
    caption = "Real images of one caption. The more captions, the fewer and the more alike."
    return rows(lines, "Small real images that share a caption", caption)


def captions_table(profile: Profile) -> Html:
    """What each caption set tells about the labels; the learned one where the profile has its
    row.
    """
    kinds = ["named", "colour"]
    if profile.name in get_row("mosaic-learned").profiles:
        kinds.append("learned")
    body, classes = [], 1
    for kind in kinds:
        images, captions = mosaics(profile, kind).real()
        bits, bias = mutual_information(captions.ids, images.labels)
        classes = len(images.classes)
        body.append(
            [
                kind,
                str(len(captions.texts)),
                f"{bits:.2f}",
                f"{bias:.2f}",
                f"“{escape(captions.texts[len(captions.texts) // 2])}”",
            ]
        )
    note = INFORMATION.format(every=float(torch.log2(torch.tensor(float(classes)))))
    header = ["captions", "number", "bits about the class", "bias", "example"]
    return table(header, body, note)


def words_table(profile: Profile) -> Html:
    """The words of each caption set, and some of its sentences."""
    body = []
    for kind in ("named", "colour"):
        texts = mosaics(profile, kind).texts()
        words = {word for text in texts for word in text.split()}
        some = texts[:: len(texts) // 2][:2]
        lines = "<br>".join(f"“{escape(text)}”" for text in some)
        body.append([kind, str(len(texts)), str(len(words)), lines])
    header = ["captions", "number", "different words", "examples"]
    note = "Brightness and colour are those of a caption's real images; the class is their label."
    return table(header, body, note)


def caption_sheet(
    profile: Profile,
    row: str = "",
    captions: Sequence[int] = kept.FURTHER[1.0][0],
    columns: int = kept.FURTHER[1.0][1],
) -> Html:
    """Real images of some captions, and below each line the samples of the same caption by the
    model of a row of :data:`MODELS`; by default that of :func:`shown`.
    """
    name, model = (row, captioned(profile, row)) if row else shown(profile)
    images, of_images = model.real()
    lines = {}
    for c in kept.places(model, captions):
        text = of_images.texts[c]
        own = images.images[of_images.ids == c][:columns]
        lines[f"{text}: real images"] = resize(own, SIDE)
        lines[f"{text}: samples"] = kept.sample(model, kept.of_caption(model, c, columns), SIDE)
    at = " at guidance w = 1 (none)" * (name == "learned")
    caption = f"Real images of a caption, and below them {MODELS[name]}{at}."
    return rows(lines, "Small images of one caption", caption)


def positives_sheet(
    profile: Profile,
    w: float = 2.0,
    captions: Sequence[int] = kept.FURTHER[2.0][0],
    m: int = kept.FURTHER[2.0][1],
) -> Html:
    """Samples of some captions: a line per caption. The learned model's under guidance ``w``, or
    mosaics without, see :func:`shown`.
    """
    name, model = shown(profile)
    if name == "learned":
        model = guided(model, w)
    lines = {
        model.texts()[c]: kept.sample(model, kept.of_caption(model, c, m), SIDE)
        for c in kept.places(model, captions)
    }
    at = f" at guidance w = {w:g}" * (name == "learned")
    caption = f"{m} {MODELS[name]}{at} for each caption. StableRep's loss pulls a line together."
    return rows(lines, f"{m} images of one caption", caption)


def bits_figure(records: Records, profile: Profile) -> Html:
    """How much more StableRep (or, with the class for a caption, SupCon) teaches than SimCLR on the
    same images, against the bits that captions tell about the class.

    >>> bits_figure(runs, p)  # doctest: +SKIP
    """
    bits = {"shuffled": 0.0, CLASS: information(profile, "named")[1]}
    kinds = [kind for of_images in GAINS.values() for kind in of_images]
    columns = sorted({*kinds}, key=("shuffled", "colour", "learned", "named", CLASS).index)
    figure, axis = figures.new(height=3.8)
    legend, words, every = [], [], []
    for (images, of_images), colour in zip(GAINS.items(), figures.LINES, strict=False):
        for kind, (row, base) in of_images.items():
            both = chosen(records, profile, row, base)
            if len(both) < len({row, base}):
                continue
            e = both[row].difference(both[base])
            if kind not in bits:
                bits[kind], _ = information(profile, kind)
            x = columns.index(kind) + OFFSET * (list(GAINS).index(images) - 1)
            axis.plot([x, x], [100 * e.low, 100 * e.high], color=colour, linewidth=2)
            inside, mark = colour if e.runs > 1 else "none", "s" if kind == CLASS else "o"
            axis.plot(x, 100 * e.mean, mark, color=colour, markerfacecolor=inside, markersize=8)
            words.append(f"{images}, {kind} ({bits[kind]:.1f} bits): {100 * e.mean:+z.1f} points")
            every.append((kind, e))
            legend.append(figures.Line(images, colour))
    if not every:
        text = "No pair of rows has been run in this profile yet."
        return nothing(text)
    axis.axhline(0, color=figures.INK, linewidth=1, linestyle="--", alpha=0.6)
    shown = [kind for kind in columns if kind in dict(every)]
    labels = [f"{'the class' if kind == CLASS else kind}\n{bits[kind]:.1f}" for kind in shown]
    axis.set_xticks([columns.index(kind) for kind in shown], labels)
    axis.set_xlim(-0.5, len(columns) - 0.5)
    axis.set_xlabel("captions, and bits that they tell about the class")
    axis.set_ylabel("gain over SimCLR, points")
    note = f"{'Hollow: a row has one run. ' * any(e.runs == 1 for _, e in every)}{BITS_NOTE}"
    return figures.row_of(
        [figure], f"Gains over SimCLR. {'; '.join(words)}.", note, list(dict.fromkeys(legend))
    )


def pairs(records: Records, profile: Profile, *bases: str) -> Html:
    """SimCLR and StableRep on the same pictures, for each of some caption sets that the profile
    has.
    """
    tables = [
        ablation(own, profile)
        for base in bases
        if (own := chosen(records, profile, base, f"{base}.stablerep"))
    ]
    return Html("".join(t.content for t in tables), " ".join(t.alt for t in tables))
