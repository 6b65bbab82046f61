"""Guidance: samples along it, how faithful and how varied they are, and its law for Gaussians."""

import itertools
from collections.abc import Mapping, Sequence
from html import escape

import torch

from ...core import rng, stats
from ...core.image import resize
from ...measure.guidance import COPY
from ...study import Profile, Runs, get_row
from ...study.measuring import Measured
from ...study.records import MeasurementRecord
from ...text2image import gaussian, mosaic, sampling
from .. import figures, sheets
from ..captions import Records, base_of
from ..html import Html, nothing, percent, table
from ..sheets import rows
from ..sweeps import Lines, chosen
from . import kept
from .captions import MODELS, SIDE, captioned, guided, mosaics, shown

FRAME = 64  # side of a frame's pictures in pixels
# variance of a caption, w; of all images it is 1
GAUSSIANS = (
    (0.5, 2),
    (0.5, 4),
    (0.5, 8),
    (0.9, 4),
    (1.0, 4),
    (1.3, 2),
)
STEPS = 200  # of Heun's method, for these
FIDELITY = {
    "frechet": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "variety": "variety within a caption",
    "agreement": "agreement with the caption",
    "imbalance": "imbalance of classes",
    "distance": "median distance to a real image",
    "copies": "near-copies",
}
PANELS = ("frechet", "precision", "recall", "variety", "agreement")  # of the figure
NEARNESS = ("distance", "copies")
SHARES = ("precision", "recall", "agreement", "copies")
TOLD = ("agreement", "precision", "recall", "variety", "frechet")
FIDELITY_NOTE = (
    "{n:,} images each; features of the encoder trained on real images (conv5; the judge of "
    "classes reads fc6). Not FID: no Inception weights. Variety: mean distance of two images of a "
    "caption. Imbalance: share of images that would have to change class to balance them. Real "
    "images: test images; for variety, the model's own. The judge learned from photographs that "
    "neither model nor probe has."
)
EYES = (
    "Below each line of real images stands what the same encoder saw: two trainings of it, on "
    "different machines, whose numbers are not to be compared."
)
COPIES_NOTE = (
    "Root-mean-square distance to the nearest real image of the model's or its mirror image, "
    f"pixels in 0 … 1; a near-copy is nearer than {COPY:g}. {{n:,}} images each."
)
GAUSSIANS_NOTE = (
    "Variance of guided samples of one coordinate; that of all images is 1; "
    f"{STEPS} steps of Heun's method."
)
STEPS_CAPTION = (
    "Two noises of one caption, from left to right what the denoiser makes of them as the noise "
    "falls; windows of {sides} pixels."
)


def sheet(profile: Profile, weights: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0)) -> Html:
    """Mosaics of the same noise for the same captions along guidance: a line per w."""
    model = mosaics(profile)
    index = kept.evenly(model)
    lines = {f"w = {w:g}": resize(guided(model, w).sample(index, SIDE), SIDE) for w in weights}
    caption = "Mosaics under rising guidance; a column is one noise and one caption."
    return rows(lines, f"One mosaic of each of {len(index)} captions", caption)


def slider(
    profile: Profile,
    weights: Sequence[float] = kept.ALONG,
) -> Html:
    """The same noises for the same captions, w by w: a sheet for each. By the learned model, or
    mosaics until it is trained.
    """
    name, model = shown(profile)
    index = kept.evenly(model)
    frames = {
        f"w = {w:g}": sheets.sheet(kept.sample(guided(model, w), index, FRAME), len(index) // 2)
        for w in weights
    }
    grows = f"guidance grows from {weights[0]:g} to {weights[-1]:g}"
    alt = f"Samples of {len(index)} captions as {grows}: louder, and more alike."
    caption = f"{MODELS[name].capitalize()}; the noise of each image stays the same."
    return sheets.slider(frames, alt, caption)


def steps_sheet(profile: Profile, caption: int = 3) -> Html:
    """How one noise becomes a picture: what the denoiser sees in it, at every second level."""
    model = mosaics(profile)
    images, captions = model.real()
    (own,) = kept.places(model, [caption])
    pool = images.images[captions.ids == own].float() / 127.5 - 1
    levels = sampling.noise_levels(mosaic.LEVELS, *mosaic.NOISE, mosaic.RHO)
    seen: list[torch.Tensor] = []

    def watched(x: torch.Tensor, level: float) -> torch.Tensor:
        seen.append(mosaic.denoise(x, pool, level, mosaic.window(level)))
        return seen[-1]

    shape = tuple(pool.shape[1:])
    noise = rng.normal(rng.key("steps", torch.arange(2)), shape).view(2, *shape)
    sampling.integrate(watched, noise * levels[0], levels, "euler")
    pictures = resize(sampling.to_bytes(torch.stack(seen[::2], 1).flatten(0, 1)), FRAME)
    every_second = levels[:-1:2]
    sides = ", ".join(str(mosaic.window(level)) for level in every_second)
    text = STEPS_CAPTION.format(sides=sides)
    lines = dict(zip(("one noise", "another"), pictures.split(len(every_second)), strict=True))
    return rows(lines, "A blur that becomes an image from left to right", text)


def gaussian_sheet(profile: Profile, weights: Sequence[float] = (1.0, 2.0, 4.0)) -> Html:
    """Samples of Gaussian captions along guidance."""
    model = captioned(profile, "gaussian-named")
    index = kept.evenly(model)
    lines = {f"w = {w:g}": resize(guided(model, w).sample(index, SIDE), SIDE) for w in weights}
    caption = "One Gaussian per caption: a blurred mean with texture."
    return rows(lines, f"Blurred images of {len(index)} captions", caption)


def law_table() -> Html:
    """Guided samples of Gaussians: integrated here, by the closed form, and the tilted density that
    they are often said to follow.
    """
    one, body = torch.ones(1, dtype=torch.float64), []
    for v, w in GAUSSIANS:
        _, variance = gaussian.guided_moments(1.0, v, 0.0, 1.0, w, STEPS)
        law = float(gaussian.guided_variance(v * one, one, w))
        _, tilted = gaussian.tilted(one, v * one, 0 * one, one, w)
        numbers = variance, law, float(tilted)
        body.append([f"{v:g}", str(w), *(f"{number:.4f}" for number in numbers)])
    header = ["variance of the caption", "w", "sampled", "closed form", "tilted density"]
    return table(header, body, GAUSSIANS_NOTE)


def weight(name: str, profile: Profile) -> float:
    """Guidance of a row's source."""
    row = get_row(name)
    return float(row.source_options(row.settings(profile)).get("w", 1.0))


def fidelity_figure(measured: Measured, names: Sequence[str], profile: Profile) -> Html:
    """Fidelity and variety of samples along guidance, a panel each; dotted: real images."""
    weights = _weights(measured, names, profile)
    if not weights:
        return nothing("No samples along w have been measured yet.")
    x, ticks = list(weights.values()), [f"{w:g}" for w in weights.values()]
    panels, each = [], []
    for key in PANELS:
        figure, axis = figures.new(width=figures.PANEL, height=2.3)
        parts = [measured[name][0].value(key) for name in weights]
        unit = 100 if key in SHARES else 1
        values, real = [unit * part.value for part in parts], unit * parts[0].real
        axis.plot(x, values, "o-", color=figures.LINES[0])
        axis.axhline(real, color=figures.INK, linestyle=":", linewidth=1)
        title = FIDELITY[key] + ", %" * (key in SHARES)
        axis.set_title(title, fontsize=11, color=figures.INK)
        axis.set_xscale("log")
        axis.set_xticks(x, ticks)
        axis.minorticks_off()
        axis.set_xlabel("w")
        panels.append(figure)
        listed = ", ".join(f"{value:.3g}" for value in values)
        each.append(f"{title}: {listed} (real images {real:.3g})")
    alt = f"Samples along w = {', '.join(ticks)}. {'; '.join(each)}."
    n = measured[next(iter(weights))][0].results["frechet"].n
    note = (
        f"{n:,} samples of one model at each w. Dotted: real images that it has not seen; for "
        f"variety, its own. What to see: {along_in_words(measured, names, profile)}."
    )
    return figures.row_of(panels, alt, note)


def _weights(measured: Measured, names: Sequence[str], profile: Profile) -> dict[str, float]:
    """Guidance of those rows that were measured, rising."""
    weights = {name: weight(name, profile) for name in names if name in measured}
    return dict(sorted(weights.items(), key=lambda item: item[1]))


def along_in_words(measured: Measured, names: Sequence[str], profile: Profile) -> str:
    """What rises and what falls of the learned model's samples as guidance grows, as a clause;
    empty where fewer than two rows were measured.

    >>> along_in_words(measured, ["learned", "learned.w2"], p)  # doctest: +SKIP
    """
    weights = _weights(measured, names, profile)
    if len(weights) < 2:
        return ""
    x, clauses = list(weights.values()), []
    for key in TOLD:
        values = [measured[name][0].value(key).value for name in weights]
        clauses.append(f"{FIDELITY[key]} {_course(key, values, x)}")
    *some, last = clauses
    text = f"as guidance grows from w = {x[0]:g} to {x[-1]:g}, samples of the learned model change"
    return f"{text}: {', '.join(some)}, and the {last}"


def _course(key: str, values: Sequence[float], x: Sequence[float]) -> str:
    """How a number of samples goes through some values.

    >>> _course("variety", [3.7, 3.4, 2.9], [1, 2, 6])
    'falls (3.70 to 2.90)'
    >>> _course("agreement", [0.3, 0.5, 0.5], [1, 2, 6])
    'rises (30.0 % to 50.0 %)'
    >>> _course("frechet", [0.4, 0.2, 1.8], [1, 2, 6])
    'is lowest at w = 2 (0.200)'
    """
    steps = [b - a for a, b in itertools.pairwise(values)]
    ends = " to ".join(_cell(key, value) for value in (values[0], values[-1]))
    if not any(steps):
        return f"stays ({_cell(key, values[0])})"
    if all(step >= 0 for step in steps):
        return f"rises ({ends})"
    if all(step <= 0 for step in steps):
        return f"falls ({ends})"
    low, high = ([w for w, v in zip(x, values, strict=True) if v == end] for end in _ends(values))
    inside = not {x[0], x[-1]} & {*low}
    how, at, value = ("lowest", low, min(values)) if inside else ("highest", high, max(values))
    return f"is {how} at w = {_listed([f'{w:g}' for w in at])} ({_cell(key, value)})"


def look_in_words(
    measured: Measured, names: Sequence[str], records: Records, profile: Profile, lines: Lines
) -> str:
    """At which guidance samples are nearest to real images by the Fréchet distance, and whether
    methods teach most there, as a clause; empty where fewer than two rows were measured.

    lines: as of :func:`teaching_in_words`.

    >>> look_in_words(measured, names, runs, p, {"SimCLR": {1: "learned"}})  # doctest: +SKIP
    """
    weights = _weights(measured, names, profile)
    if len(weights) < 2:
        return ""
    near = weights[min(weights, key=lambda name: measured[name][0].value("frechet").value)]
    parts = []
    for title, of_line in lines.items():
        runs = chosen(records, profile, *of_line.values())
        own = {w: runs[name] for w, name in sorted(of_line.items()) if name in runs}
        if near not in own or len(own) < 2:
            continue
        best, alike = _best(own)
        if best == near:
            parts.append(f"the highest top-1 of {title} is there too")
        elif near in alike:
            parts.append(f"we cannot tell whether {title} teaches less there than at {best:g}")
        else:
            parts.append(f"{title} teaches less there than at {best:g}")
    text = f"samples are nearest to real images, by the Fréchet distance, at w = {near:g}"
    return "; ".join([text, *parts])


def _best(own: Mapping[float, Runs]) -> tuple[float, list[float]]:
    """The guidance that teaches most, and those that cannot be told from it by Holm's procedure."""
    best = max(own, key=lambda w: own[w].accuracy().mean)
    others = [w for w in own if w != best]
    clear = stats.holm([own[best].difference(own[w]).p for w in others])
    return best, [w for w, is_clear in zip(others, clear, strict=True) if not is_clear]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    >>> _listed(["1", "2", "6"])
    '1, 2 and 6'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def teaching_in_words(records: Records, profile: Profile, lines: Lines) -> str:
    """At which guidance samples teach most, by method, of those with a run, as a clause; what is
    told from the best is so by Holm's procedure. Empty where there is no run.

    lines: title of a method → guidance → row.

    >>> teaching_in_words(runs, p, {"StableRep": {1: "learned.stablerep"}})  # doctest: +SKIP
    """
    several, single, scales_before = [], dict[str, tuple[str, str]](), ""
    for title, of_line in lines.items():
        runs = chosen(records, profile, *of_line.values())
        own = {w: runs[name] for w, name in sorted(of_line.items()) if name in runs}
        if not own:
            continue
        best, alike = _best(own)
        number = f"{percent(own[best].accuracy().mean)} %"
        if len(own) == 1:
            single[title] = f"{best:g}", number
            continue
        of = f"of w = {_listed([f'{w:g}' for w in own])}, "
        most = "most" if len(own) > 2 else "more"
        text = f"{of if of != scales_before else ''}{title} teaches {most} at {best:g} ({number})"
        scales_before = of
        if alike:
            text += f", which cannot be told from {_listed([f'{w:g}' for w in alike])}"
        if len(own) > 2 and best == max(own):
            text += "; its best may lie beyond this grid"
        several.append(text)
    for at in dict.fromkeys(w for w, _ in single.values()):
        own_at = {title: number for title, (w, number) in single.items() if w == at}
        runs_at = f"{_listed([*own_at])} {'has' if len(own_at) == 1 else 'have'} run at w = {at}"
        several.append(f"{runs_at} alone so far ({_listed([*own_at.values()])})")
    return "; ".join(several)


def drawn_in_words(measured: Measured, name: str, profile: Profile) -> str:
    """Whether samples show what their caption names, and are not copies, as a clause; empty where
    the row was not measured.

    >>> drawn_in_words(measured, "learned.w2", p)  # doctest: +SKIP
    """
    if name not in measured:
        return ""
    record, plain = measured[name][0], measured.get(base_of(name))
    agreement, copies = record.value("agreement"), record.value("copies")
    without = ""
    if plain and name != base_of(name):
        without = f" (without guidance {percent(plain[0].value('agreement').value)} %)"
    able = "it can" if agreement.value >= agreement.real else "it can in part"
    if agreement.value < agreement.real / 2:
        able = "it hardly can"
    return (
        f"{able}: a judge that learned from other real images finds the class of the caption in "
        f"{percent(agreement.value)} % of the learned model's samples at "
        f"w = {weight(name, profile):g}{without}, and the right class in "
        f"{percent(agreement.real)} % of real images; {percent(copies.value)} % of the samples are "
        "near-copies of a training image"
    )


def _title(name: str, profile: Profile) -> str:
    """A model and its guidance: named captions go without saying, and what is trained on the
    samples makes no difference to them."""
    model = get_row(base_of(name)).title.removesuffix(", named captions")
    return escape(f"{model}, w = {weight(name, profile):g}")


def fidelity_table(measured: Measured, profile: Profile) -> Html:
    """All measurements of samples, and of real images."""
    if not measured:
        return nothing("None of these samples have been measured yet.")
    by_eye: dict[str, dict[str, Sequence[MeasurementRecord]]] = {}
    for name, records in measured.items():
        by_eye.setdefault(records[0].spec.reference, {})[name] = records
    body = []
    for seen in by_eye.values():
        first = next(iter(seen.values()))[0]
        real = [_cell(key, first.value(key).real) for key in FIDELITY]
        body.append(["<i>real images</i>", *real])
        for name, (record, *_) in seen.items():
            cells = [_cell(key, record.value(key).value) for key in FIDELITY]
            body.append([_title(name, profile), *cells])
    note = FIDELITY_NOTE.format(n=first.results["frechet"].n)
    if len(by_eye) > 1:
        note += f" {EYES}"
    return table(["samples of", *FIDELITY.values()], body, note)


def copies_table(measured: Measured, profile: Profile) -> Html:
    """How near samples are to the real images that they were made of, beside real images that the
    model has not seen."""
    if not measured:
        return nothing("The distance of samples to real images has not been measured yet.")
    first = next(iter(measured.values()))[0]
    real = [_cell(key, first.value(key).real) for key in NEARNESS]
    body = [["real images that no model has seen", *real]]
    for name, (record, *_) in measured.items():
        cells = [_cell(key, record.value(key).value) for key in NEARNESS]
        body.append([_title(name, profile), *cells])
    note = COPIES_NOTE.format(n=first.results["copies"].n)
    return table(["images", *(FIDELITY[key] for key in NEARNESS)], body, note)


def agreement_in_words(measured: Measured, a: str, b: str, profile: Profile) -> str:
    """How agreement with the caption goes from one row's samples to another's of the same model, as
    a clause; empty where one was not measured.

    >>> agreement_in_words(measured, "learned", "learned.w2", p)  # doctest: +SKIP
    """
    if not {a, b} <= measured.keys():
        return ""
    values = [measured[name][0].value("agreement").value for name in (a, b)]
    goes = "rises" if values[1] > values[0] else "falls" if values[1] < values[0] else "goes"
    first, last = map(percent, values)
    ends = " to ".join(f"{weight(name, profile):g}" for name in (a, b))
    return (
        f"from w = {ends}, agreement of {MODELS.get(base_of(a), get_row(a).title)} with their "
        f"caption {goes} from {first} % to {last} %"
    )


def _cell(key: str, value: float) -> str:
    return f"{percent(value)} %" if key in SHARES else f"{value:#.3g}"
