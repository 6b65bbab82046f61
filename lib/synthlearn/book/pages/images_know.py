"""What images know: objects, order and edges beside images, and what denoisers learn from sets."""

from collections.abc import Mapping
from html import escape

import torch
from torch import Tensor

from ...core import rng
from ...core.errors import ParameterError
from ...generators import generator
from ...generators.annotations import annotate
from ...measure.denoising import NATURAL, Psnr
from ...study import get_row, units
from ...study.measuring import Measured
from .. import figures
from ..figures import INK
from ..html import Html, count, span, table
from ..sheets import enlarge, rows

SETS = ("dead_leaves-mixed", "collage-found", "fractals-sigma")
TITLES = {"dead_leaves-mixed": "dead leaves", "collage-found": "collages"}
TITLES["fractals-sigma"] = "fractals"
HIGHER = "{size} dB {span} {word} when trained on {a} than on {b}"
ALIKE = "denoisers trained on {a} and on {b} cannot be told apart: "
ALIKE += "the difference is {mean:+z.2f} dB {span}"
LIFTED = "a denoiser trained on {name} takes noisy natural images from {before:.2f} "
LIFTED += "to {after:.2f} dB {span}"
OVER = "95 % intervals over runs, {runs} of each set, their spread pooled over sets."
ONE = "One run of each set, so there are no intervals."


def in_colours(instances: Tensor) -> Tensor:
    """Numbers of objects (n, s, s) as images: a colour for each, black for background; uint8
    (n, 3, s, s).

    >>> in_colours(torch.zeros(1, 2, 2, dtype=torch.int32)).amax()
    tensor(0, dtype=torch.uint8)
    """
    colour = rng.uniform(rng.key("colours of objects", instances), (3,), 60, 256).byte()
    return (colour * (instances > 0)[..., None]).permute(0, 3, 1, 2).contiguous()


def in_grey(order: Tensor) -> Tensor:
    """Places in the order (n, s, s) as grey images, the object in front white: uint8 (n, 3, s, s).

    >>> in_grey(torch.tensor([[[0, 1], [2, 4]]]))[0, 0]
    tensor([[  0,  63],
            [127, 255]], dtype=torch.uint8)
    """
    most = order.flatten(1).amax(1).clamp_min(1)[:, None, None]
    return (order * 255 // most).byte()[:, None].expand(-1, 3, -1, -1).contiguous()


def sheet(size: int = 128, index: int = 4) -> Html:
    """An image of each of three sets, and beside it what its generator knows of it.

    >>> sheet()  # doctest: +SKIP
    """
    lines = {}
    for name in SETS:
        maps = annotate(generator(name), [index], size)
        edges = (maps["edges"].byte() * 255)[:, None].expand(-1, 3, -1, -1)
        views = (maps["images"], in_colours(maps["instances"]), in_grey(maps["instances"]), edges)
        lines[TITLES[name]] = torch.stack(views, 1).flatten(0, 1)
    caption = (
        "From left to right: an image; its objects, a colour each; their order, what lies in "
        "front brighter; the edges between objects."
    )
    alt = "Images, the objects in them, their order and the edges between them"
    return rows(lines, alt, caption)


def patches(images: Mapping[str, Tensor]) -> Html:
    """Patches, float (n, 3, s, s) in [0, 1], a row for each name: clean, with noise, restored."""
    lines = {name: enlarge((x.clamp(0, 1) * 255).byte(), 3) for name, x in images.items()}
    caption = "Flat regions become smooth and edges stay; after so few updates some noise is left."
    return rows(lines, "The same patches: " + ", ".join(images), caption)


def psnr(measured: Measured) -> units.Units:
    """PSNR on natural images in dB, by set and run."""
    return units.part(measured, NATURAL, "psnr")


def noisy(measured: Measured) -> float:
    """PSNR of the noisy natural images themselves, in dB."""
    result = next(iter(measured.values()))[0].results[NATURAL]
    if not isinstance(result, Psnr):
        raise ParameterError(f"{result}: no result of a denoiser; measure it again")
    return result.noisy


def lifted(measured: Measured, row: str, name: str = "") -> str:
    """How far a denoiser takes noisy natural images, as a clause; empty without a record.

    >>> lifted(measured, "dead_leaves-mixed", "dead leaves")  # doctest: +SKIP
    """
    if row not in measured:
        return ""
    of = psnr(measured)
    e = of.estimate(row)
    ends = span(f"{e.low:.2f}", f"{e.high:.2f}") if of.spread.df else ""
    words = {"name": name or get_row(row).title, "span": ends}
    return LIFTED.format(before=noisy(measured), after=e.mean, **words).strip()


def compare(of: units.Units, a: str, b: str, name_a: str = "", name_b: str = "") -> str:
    """How much better natural images are restored after one set than after another, as a clause;
    empty where there is no record, or one run of each.

    >>> compare(psnr(measured), "real", "noise-white")  # doctest: +SKIP
    """
    if not {a, b} <= of.values.keys() or not of.spread.df:
        return ""
    e = of.apart(a, b)
    names = {"a": name_a or get_row(a).title, "b": name_b or get_row(b).title}
    if e.low <= 0 <= e.high:
        ends = span(f"{e.low:+z.2f}", f"{e.high:+z.2f}")
        return ALIKE.format(mean=e.mean, span=ends, **names)
    low, high = sorted((abs(e.low), abs(e.high)))
    word = "better" if e.mean > 0 else "worse"
    ends = span(f"{low:.2f}", f"{high:.2f}")
    clause = HIGHER.format(size=f"{abs(e.mean):.2f}", span=ends, word=word, **names)
    return f"a denoiser restores natural images {clause}"


def _order(of: units.Units) -> list[str]:
    return sorted(of.values, key=lambda name: -of.estimate(name).mean)


def _over(of: units.Units) -> str:
    runs = {len(values) for values in of.values.values()}
    if not of.spread.df:
        return ONE
    return OVER.format(runs=" to ".join(map(str, sorted({min(runs), max(runs)}))))


def figure(measured: Measured) -> Html:
    """PSNR on natural images by the set that the denoiser was trained on; dashed: of the noisy
    images."""
    of, start = psnr(measured), noisy(measured)
    order = _order(of)
    drawn, axis = figures.new(height=0.36 * len(order) + 1.2)
    axis.axvline(start, color=INK, linewidth=1, linestyle="--", alpha=0.6)
    for at, name in enumerate(order):
        e, colour = of.estimate(name), figures.COLOURS[get_row(name).family]
        if of.spread.df:
            axis.plot([e.low, e.high], [at, at], color=colour, linewidth=2.5)
        axis.plot(e.mean, at, "o", color=colour, markersize=8)
    axis.set_yticks(range(len(order)), [get_row(name).title for name in order])
    axis.invert_yaxis()
    axis.set_xlabel("PSNR on natural images, dB")
    words = ", ".join(f"{get_row(name).title} {of.estimate(name).mean:.2f}" for name in order)
    alt = f"Restored natural images in dB: {words}; noisy ones {start:.2f}."
    note = "By the set that the denoiser was trained on; dashed: the noisy images themselves."
    return figures.svg(drawn, alt, f"{note} {_over(of)}")


def results(measured: Measured) -> Html:
    """The same as a table, with the distance to real images."""
    of = psnr(measured)
    body = []
    for name in _order(of):
        e = of.estimate(name)
        ends = span(f"{e.low:.2f}", f"{e.high:.2f}") if of.spread.df else ""
        behind = of.estimate("real").mean - e.mean if "real" in of.values else None
        body.append(
            [
                escape(get_row(name).title),
                f"{e.mean:.2f} {ends}",
                f"{e.mean - noisy(measured):.2f}",
                "–" if behind is None or name == "real" else f"{behind:+z.2f}",
                str(len(of.values[name])),
            ]
        )
    header = ["trained on", "PSNR, dB", "gained, dB", "real images ahead, dB", "runs"]
    images = count(of.n, "natural image")
    return table(header, body, f"Mean over {images}. {_over(of)}")
