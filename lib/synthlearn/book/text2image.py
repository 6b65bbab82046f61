"""What the chapters on text-to-image models show: captions, samples along guidance, near-copies, laws of guidance."""

import html
from collections.abc import Sequence
from typing import Any

import torch

from ..core import rng
from ..core.image import resize
from ..data import datasets, image_set
from ..study import Experiment, Profile, get_row
from ..text2image import Gaussians, Mosaic, gaussian, mosaic, mutual_information, nearest, sampling
from ..text2image.quadrature import guided_mean
from . import figures
from .ablations import ablation
from .chapter import Records, table
from .guidance import chosen

NUMBER = 50  # captions of the study
COPY = (0.03, 0.06)  # root-mean-square distances below which a sample counts as a near-copy
GUIDANCE = (
    (0.5, 2),
    (0.5, 4),
    (0.5, 8),
    (0.9, 4),
    (1.0, 4),
    (1.3, 2),
)  # variance of a caption, w; of all images it is 1


def source(profile: Profile, kind: str = "named", w: float = 1.0) -> Mosaic:
    """The study's text-to-image model for a profile's data."""
    return Mosaic(data=profile.data, per_class=profile.per_class, captions=kind, number=NUMBER, w=w)


def captions_table(profile: Profile) -> figures.Shown:
    """What each caption set tells about the labels; the learned one where the profile has its row."""
    body = []
    sets: dict[str, Any] = {kind: source(profile, kind) for kind in ("named", "colour")}
    if profile.name in (learned := get_row("mosaic-learned")).profiles:
        sets["learned"] = Experiment(learned, profile, 0).source()
    for kind, model in sets.items():
        images, captions = model.real()
        bits, bias = mutual_information(captions.ids, images.labels)
        counts = torch.bincount(captions.ids)
        example = html.escape(captions.texts[len(captions.texts) // 2])
        body.append(
            [
                kind,
                str(NUMBER),
                f"{int(counts.min())} … {int(counts.max())}",
                f"{bits:.2f}",
                f"{bias:.2f}",
                f"“{example}”",
            ]
        )
    every = torch.log2(torch.tensor(float(len(images.classes))))
    note = f"I(caption; class) in bits, of {every:.2f}; beside it what shuffled captions seem to tell: the bias of the estimate."
    return table(
        ["captions", "number", "images of one", "bits about the class", "bias", "example"],
        body,
        note,
    )


def caption_sheet(
    profile: Profile, chosen: Sequence[int] = (0, 12, 23, 34, 45), columns: int = 8
) -> figures.Shown:
    """Real images of some captions, and below each row the model's samples of the same caption."""
    model = source(profile)
    images, captions = model.real()
    side, rows = 48, []
    for c in chosen:
        rows.append(resize(images.images[captions.ids == c][:columns], side))
        rows.append(resize(model.sample(torch.arange(columns) * NUMBER + c, 48), side))
    texts = "; ".join(captions.texts[c] for c in chosen)
    caption = f"Real images of a caption, and below them mosaics of it: {texts}."
    return figures.contact_sheet(torch.cat(rows), f"Rows in pairs. {caption}", caption, columns)


def guidance_sheet(
    profile: Profile, weights: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0), columns: int = 8
) -> figures.Shown:
    """The same noise for the same captions along guidance: a row per w."""
    index = torch.arange(columns) * (NUMBER // columns)
    rows = [resize(source(profile, w=w).sample(index, 48), 48) for w in weights]
    said = ", ".join(f"{w:g}" for w in weights)
    return figures.contact_sheet(
        torch.cat(rows),
        f"One sample of {columns} captions, a row for each w: {said}.",
        f"A row for each w: {said}; a column is one noise.",
        columns,
    )


def guidance_slider(
    profile: Profile,
    weights: Sequence[float] = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0),
    n: int = 12,
) -> figures.Shown:
    """The same noises for the same captions, w by w: a sheet for each."""
    index = torch.arange(n) * (NUMBER // n)
    sheets = {
        f"w = {w:g}": figures.sheet(resize(source(profile, w=w).sample(index, 48), 64), 6)
        for w in weights
    }
    alt = f"Samples of {n} captions as guidance grows from {weights[0]:g} to {weights[-1]:g}: louder, and more alike."
    return figures.slider(sheets, alt, "The noise of each picture stays the same.")


def steps_sheet(profile: Profile, number: int = 3) -> figures.Shown:
    """How one noise becomes a picture: what the denoiser sees in it, at every second level."""
    model = source(profile)
    images, captions = model.real()
    pool = images.images[captions.ids == number].float() / 127.5 - 1
    levels = sampling.noise_levels(mosaic.LEVELS, *mosaic.NOISE, mosaic.RHO)
    seen: list[torch.Tensor] = []

    def watched(x: torch.Tensor, level: float) -> torch.Tensor:
        seen.append(mosaic.denoise(x, pool, level, mosaic.window(level)))
        return seen[-1]

    noise = rng.normal(rng.key("steps", torch.arange(2)), tuple(pool.shape[1:])).view(
        2, *pool.shape[1:]
    )
    sampling.integrate(watched, noise * levels[0], levels, "euler")
    shown = torch.stack(seen[::2], 1).flatten(0, 1)
    pictures = resize(sampling.to_bytes(shown), 64)
    sides = ", ".join(str(mosaic.window(level)) for level in levels[:-1:2])
    caption = f"Two noises of one caption, from left to right what the denoiser makes of them as the noise falls; windows of {sides} pixels."
    return figures.contact_sheet(pictures, caption, caption, len(levels[:-1:2]))


def copies_table(profile: Profile, n: int = 400) -> figures.Shown:
    """How near samples are to the real images that they were made of, beside real images that the model has not seen."""
    images, _ = source(profile).real()
    count = n if profile.name != "smoke" else 50
    test = image_set.sample(datasets.load(profile.data, "test", profile.crop), count).images
    side = images.images.shape[-1]
    body = []
    for label, pictures in (
        ("real images that the model has not seen", test),
        *(
            (f"mosaics, w = {w:g}", source(profile, w=w).sample(range(count), 48))
            for w in (1.0, 3.0)
        ),
    ):
        distance, _ = nearest(resize(pictures, side), images.images)
        shares = [f"{100 * float((distance < limit).float().mean()):.1f}" for limit in COPY]
        body.append([label, f"{float(distance.median()):.3f}", *shares])
    header = ["pictures", "median distance", *(f"below {limit}, %" for limit in COPY)]
    return table(
        header,
        body,
        f"Root-mean-square distance to the nearest of {len(images):,} real images or its mirror image, pixels in 0 … 1; {count} pictures each.",
    )


def guidance_table() -> figures.Shown:
    """Guided samples of Gaussians: integrated here, by the closed form, and the tilted density that they are often said to follow."""
    one, body = torch.ones(1, dtype=torch.float64), []
    for v, w in GUIDANCE:
        m, s = gaussian.guided_moments(1.0, v, 0.0, 1.0, w, 200)
        law = float(gaussian.guided_variance(v * one, one, w))
        tilt = [float(t) for t in gaussian.tilted(one, v * one, 0 * one, one, w)]
        body.append(
            [
                f"{v:g}",
                str(w),
                f"{m:.3f}",
                f"{guided_mean(1.0, v, 0.0, 1.0, w):.3f}",
                f"{s:.4f}",
                f"{law:.4f}",
                f"{tilt[0]:.3f}",
                f"{tilt[1]:.4f}",
            ]
        )
    header = [
        "variance of the caption",
        "w",
        "mean, here",
        "mean, quadrature",
        "variance, here",
        "variance, closed form",
        "tilted: mean",
        "tilted: variance",
    ]
    return table(
        header,
        body,
        "One coordinate; the caption's mean is 1, that of all images 0, their variance 1; 200 steps of Heun's method.",
    )


def gaussian_sheet(
    profile: Profile, weights: Sequence[float] = (1.0, 2.0, 4.0), columns: int = 8
) -> figures.Shown:
    """Samples of Gaussian captions along guidance."""
    index = torch.arange(columns) * (NUMBER // columns)
    rows = [
        resize(
            Gaussians(data=profile.data, per_class=profile.per_class, number=NUMBER, w=w).sample(
                index, 48
            ),
            48,
        )
        for w in weights
    ]
    said = ", ".join(f"{w:g}" for w in weights)
    return figures.contact_sheet(
        torch.cat(rows),
        f"Blurred pictures of {columns} captions, a row for each w: {said}.",
        f"One Gaussian per caption; a row for each w: {said}.",
        columns,
    )


def pairs(found: Records, profile: Profile, *bases: str) -> figures.Shown:
    """SimCLR and StableRep on the same pictures, for each of some caption sets that the profile has."""
    shown = [
        ablation(mine, profile)
        for base in bases
        if (mine := chosen(found, profile, base, f"{base}.stablerep"))
    ]
    return figures.Shown("".join(s.content for s in shown), " ".join(s.alt for s in shown))


def words_table(profile: Profile) -> figures.Shown:
    """The words of each caption set, and some of its sentences."""
    body = []
    for kind in ("named", "colour"):
        texts = source(profile, kind).texts()
        words = {word for text in texts for word in text.split()}
        lines = "<br>".join(f"“{html.escape(text)}”" for text in texts[:: len(texts) // 4][:4])
        body.append([kind, str(len(texts)), str(len(words)), lines])
    return table(
        ["captions", "number", "different words", "some of them"],
        body,
        "Words are measured on the real images of a caption, or their label.",
    )


def positives_sheet(
    profile: Profile, chosen: Sequence[int] = (2, 17, 31, 48), m: int = 10
) -> figures.Shown:
    """Samples of some captions: a row per caption."""
    model = source(profile)
    rows = [resize(model.sample(torch.arange(m) * NUMBER + c, 48), 48) for c in chosen]
    texts = "; ".join(model.real()[1].texts[c] for c in chosen)
    return figures.contact_sheet(
        torch.cat(rows),
        f"{m} samples of each of {len(chosen)} captions: {texts}.",
        f"A row per caption: {texts}.",
        m,
    )
