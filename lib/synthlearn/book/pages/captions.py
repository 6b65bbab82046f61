"""Captions and the pictures that are drawn for them: what they tell, samples, near-copies.

Pictures come from the source that a row trains on, see :func:`mosaics`.
"""

from collections.abc import Sequence
from html import escape
from typing import TypeVar

import torch

from ...core.image import resize
from ...data import datasets, image_set
from ...study import Experiment, Profile, get_row
from ...text2image import Mosaic, mutual_information, nearest
from ...text2image.captions import CaptionSource
from ..captions import Records
from ..html import Html, table
from ..sheets import contact_sheet
from ..sweeps import chosen
from ..tables import ablation

SIDE = 48  # of samples on a sheet, in pixels
OF = 50  # captions of the rows that captions are chosen for; of fewer, those in their places
COPY = (0.03, 0.06)  # root-mean-square distances below which a sample counts as a near-copy
COPY_WEIGHTS = (1.0, 3.0)  # guidance of the samples that are compared with real images
MODELS = {"learned": "samples of the learned model", "mosaic-named": "mosaics"}
SMOKE_PICTURES = 50  # that are compared in the smoke profile
INFORMATION = (
    "I(caption; class) in bits, of {every:.2f}; beside it what shuffled captions seem to tell: the "
    "bias of the estimate."
)
DISTANCE = (
    "Root-mean-square distance to the nearest of {images:,} real images or its mirror image, "
    "pixels in 0 … 1; {count} pictures each."
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


def guided(source: S, w: float) -> S:
    """The same source under guidance ``w``."""
    return type(source)(**{**vars(source.options), "w": w})


def places(source: CaptionSource, captions: Sequence[int]) -> list[int]:
    """Captions that were chosen of :data:`OF`, of as many as a source has."""
    return [c * source.options.number // OF for c in captions]


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
        classes, counts = len(images.classes), torch.bincount(captions.ids)
        body.append(
            [
                kind,
                str(len(captions.texts)),
                f"{int(counts.min())} … {int(counts.max())}",
                f"{bits:.2f}",
                f"{bias:.2f}",
                f"“{escape(captions.texts[len(captions.texts) // 2])}”",
            ]
        )
    note = INFORMATION.format(every=float(torch.log2(torch.tensor(float(classes)))))
    header = ["captions", "number", "images of one", "bits about the class", "bias", "example"]
    return table(header, body, note)


def words_table(profile: Profile) -> Html:
    """The words of each caption set, and some of its sentences."""
    body = []
    for kind in ("named", "colour"):
        texts = mosaics(profile, kind).texts()
        words = {word for text in texts for word in text.split()}
        some = texts[:: len(texts) // 4][:4]
        lines = "<br>".join(f"“{escape(text)}”" for text in some)
        body.append([kind, str(len(texts)), str(len(words)), lines])
    header = ["captions", "number", "different words", "some of them"]
    note = "Words are measured on the real images of a caption, or their label."
    return table(header, body, note)


def caption_sheet(
    profile: Profile,
    row: str = "learned",
    captions: Sequence[int] = (0, 12, 23, 34, 45),
    columns: int = 8,
) -> Html:
    """Real images of some captions, and below each row the samples of the same caption by the model
    of a row of :data:`MODELS`.
    """
    model = captioned(profile, row)
    images, of_images = model.real()
    rows, own = [], places(model, captions)
    for c in own:
        rows.append(resize(images.images[of_images.ids == c][:columns], SIDE))
        rows.append(resize(model.sample(_samples(model, c, columns), SIDE), SIDE))
    texts = "; ".join(of_images.texts[c] for c in own)
    caption = f"Real images of a caption, and below them {MODELS[row]}: {texts}."
    return contact_sheet(torch.cat(rows), f"Rows in pairs. {caption}", caption, columns)


def _samples(source: CaptionSource, caption: int, n: int) -> torch.Tensor:
    """Indices of the first samples of a caption."""
    return torch.arange(n) * source.options.number + caption


def positives_sheet(
    profile: Profile, w: float = 2.0, captions: Sequence[int] = (2, 17, 31, 48), m: int = 10
) -> Html:
    """Samples of some captions by the learned model: a row per caption."""
    model = guided(captioned(profile, "learned"), w)
    own = places(model, captions)
    rows = [resize(model.sample(_samples(model, c, m), SIDE), SIDE) for c in own]
    texts = "; ".join(model.texts()[c] for c in own)
    alt = f"{m} samples of each of {len(captions)} captions: {texts}."
    return contact_sheet(torch.cat(rows), alt, f"A row per caption: {texts}.", m)


def copies_table(profile: Profile, n: int = 400) -> Html:
    """How near samples are to the real images that they were made of, beside real images that the
    models have not seen.
    """
    images, _ = captioned(profile, "learned").real()
    count = n if profile.name != "smoke" else SMOKE_PICTURES
    test = image_set.sample(datasets.load(profile.data, "test", profile.crop), count).images
    every = {"real images that no model has seen": test}
    for row, words in MODELS.items():
        model = captioned(profile, row)
        for w in COPY_WEIGHTS:
            every[f"{words}, w = {w:g}"] = guided(model, w).sample(range(count), SIDE)
    body = []
    for label, pictures in every.items():
        distance, _ = nearest(resize(pictures, images.images.shape[-1]), images.images)
        shares = [f"{100 * float((distance < limit).float().mean()):.1f}" for limit in COPY]
        body.append([label, f"{float(distance.median()):.3f}", *shares])
    header = ["pictures", "median distance", *(f"below {limit}, %" for limit in COPY)]
    return table(header, body, DISTANCE.format(images=len(images), count=count))


def pairs(rows: Records, profile: Profile, *bases: str) -> Html:
    """SimCLR and StableRep on the same pictures, for each of some caption sets that the profile
    has.
    """
    tables = [
        ablation(own, profile)
        for base in bases
        if (own := chosen(rows, profile, base, f"{base}.stablerep"))
    ]
    return Html("".join(t.content for t in tables), " ".join(t.alt for t in tables))
