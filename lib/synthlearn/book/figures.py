"""The one figure style, and the figures that chapters share.

Curves are SVG inside the page, in the page's own text colour, so that they read in light and dark; pictures are PNG.
Every figure needs ``alt``, what a reader who cannot see it should know.
"""

import base64
import html
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ..core.errors import ParameterError
from ..core.image import to_tiles
from ..study import Runs

# Okabe and Ito's colours, readable for colour-blind eyes and on light and dark ground; one per family
COLOURS = {
    "dead_leaves": "#E69F00", "fractals": "#009E73", "noise": "#999999", "baseline": "#56B4E9", "real": "#D55E00", "statistical": "#CC79A7",
    "stylegan": "#0072B2", "feature_vis": "#B8A800", "mixture": "#7A5195", "text2image": "#882255", "programs": "#117733", "own": "#AA4499",
}  # fmt: skip
LINES = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
)  # for lines of one figure
PNG_BYTES = 20_000  # larger pictures are stored with some loss
INK = "#123456"  # stands for the page's text colour until the SVG is written
SIDE_BY_SIDE = "display: flex; flex-wrap: wrap; gap: 0.8rem 0.4rem"  # in the tag, so that it holds in Jupyter too, where the book's style sheet is not
_numbers = itertools.count(1)
STYLE: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "font.size": 11, "font.family": "sans-serif", "lines.linewidth": 2,
    "svg.fonttype": "none", "svg.hashsalt": "synthlearn", "figure.constrained_layout.use": True, "legend.frameon": False,
}  # fmt: skip


class Shown:
    """HTML of a figure, for the notebook; its text form is the alternative text."""

    def __init__(self, content: str, alt: str) -> None:
        self.content, self.alt = content, alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.content, "text/plain": self.alt}


def _figure(inside: str, alt: str, caption: str) -> Shown:
    if not alt.strip():
        raise ParameterError("alt = '': every figure needs an alternative text; say what it shows")
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return Shown(f'<figure class="synthlearn">{inside}{below}</figure>', alt)


def new(
    columns: int = 1, width: float = 7.2, height: float = 3.2, **options: Any
) -> tuple[Figure, Any]:
    """A figure in the style, and its axes (an array if there are several)."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        return figure, figure.subplots(1, columns, **options)


def svg(figure: Figure, alt: str, caption: str = "") -> Shown:
    """A matplotlib figure as inline SVG in the page's text colour."""
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    prefix = f"f{next(_numbers)}-"  # ids must be unique on a page
    text = (
        text.replace('id="', f'id="{prefix}')
        .replace('href="#', f'href="#{prefix}')
        .replace("url(#", f"url(#{prefix}")
    )
    text = text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" ', 1)
    return _figure(text, alt, caption)


def image_tag(pixels: np.ndarray, alt: str, scale: int = 1, most: int = PNG_BYTES) -> str:
    """An <img> of uint8 pixels (h, w, 3 or 4) inside the page, enlarged ``scale`` times by the browser: PNG, or WebP where that is above ``most`` bytes."""
    stream, form = io.BytesIO(), "png"
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    if stream.tell() > most:
        stream, form = io.BytesIO(), "webp"
        Image.fromarray(pixels).save(stream, "WEBP", quality=85, method=6)
    data = base64.b64encode(stream.getvalue()).decode()
    kind = (
        "pixels dark-light" if scale > 1 else "dark-light"
    )  # the theme puts a box behind other pictures in the dark
    size = f'width="{pixels.shape[1] * scale}" class="{kind}"'
    return (
        f'<img src="data:image/{form};base64,{data}" alt="{html.escape(alt, quote=True)}" {size}>'
    )


def grey(x: Tensor) -> Tensor:
    """A plane of any values, float (h, w), stretched to a grey picture: uint8 (3, h, w)."""
    x = x - x.min()
    return (255 * x / x.max().clamp_min(1e-12)).round().byte().expand(3, -1, -1)


def contact_sheet(images: Tensor, alt: str, caption: str = "", columns: int = 8) -> Shown:
    """uint8 (n, 3, s, s) as one picture, row by row."""
    return _figure(image_tag(to_tiles(images, columns).numpy(), alt), alt, caption)


def labelled(panels: dict[str, Tensor], alt: str, caption: str = "") -> Shown:
    """Pictures uint8 (3, s, s) side by side, each under its label."""
    cells = "".join(
        f"<figure>{image_tag(x.permute(1, 2, 0).numpy(), f'{alt} ({label})')}<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, x in panels.items()
    )
    return _figure(f'<div class="panels" style="{SIDE_BY_SIDE}">{cells}</div>', alt, caption)


def slider(frames: Mapping[str, Tensor], alt: str, caption: str = "", scale: int = 1) -> Shown:
    """Pictures uint8 (3, h, w) along one parameter, label → picture, that a slider moves through; without JavaScript they stand side by side.

    scale: times that the browser enlarges them."""
    cells = "".join(
        f"<figure>{image_tag(x.permute(1, 2, 0).numpy(), f'{alt} ({label})', scale)}<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, x in frames.items()
    )
    return _figure(f'<div class="panels slider" style="{SIDE_BY_SIDE}">{cells}</div>', alt, caption)


def sheet(images: Tensor, columns: int = 8) -> Tensor:
    """uint8 (n, 3, s, s) row by row as one picture uint8 (3, h, w), black between them."""
    tiles = to_tiles(images, columns)
    return (tiles[..., :3] * (tiles[..., 3:] > 0)).permute(2, 0, 1).contiguous()


def filters(weights: dict[str, np.ndarray], alt: str, caption: str = "") -> Shown:
    """First-layer filters, label → float (channels, 3, 3, 3), each set stretched to its own range, as enlarged tiles."""
    panels = {}
    for label, w in weights.items():
        x = torch.from_numpy(w)
        x = ((x / x.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12) + 1) * 127.5).byte()
        columns = 8
        tiles = to_tiles(x.repeat_interleave(10, 2).repeat_interleave(10, 3), columns)
        panels[label] = tiles.permute(2, 0, 1)
    return labelled(panels, alt, caption)


def curves(
    records: Mapping[str, Runs],
    names: Sequence[str],
    styles: dict[str, tuple[str, str]],
    alt: str,
    caption: str = "",
) -> Shown:
    """Training curves: one panel per name (loss, align, uniform), one line per row (mean over runs), labelled at its end.

    styles: row → (colour, label).
    """
    figure, axes = new(len(names), width=3.1 * len(names) + 0.8, height=3.0, squeeze=False)
    dashes = itertools.cycle(("-", "--", ":", "-."))
    lines = {row: next(dashes) for row in records}
    for axis, name in zip(axes[0], names, strict=True):
        for row, found in records.items():
            steps = found[0].curves["step"]
            values = np.mean([r.curves[name] for r in found], axis=0)
            colour, label = styles[row]
            axis.plot(steps, values, color=colour, linestyle=lines[row], label=label)
        axis.set_title(name.replace("_", " "), fontsize=11, color=INK)
        axis.set_xlabel("step")
    with mpl.rc_context(STYLE):
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(
                1 if max(map(len, labels)) > 36 else 2 if max(map(len, labels)) > 24 else 4,
                len(records),
            ),
            labelcolor=INK,
        )
    return svg(figure, alt, caption)


def accuracies(
    rows: Sequence[dict[str, Any]], floor: float, chance: float | None, alt: str, caption: str = ""
) -> Shown:
    """Horizontal accuracy axis: filled markers with intervals are ours, hollow diamonds the paper's (own axis above, its protocol differs).

    rows: dicts of label, family, mean, low, high (shares) and published (per cent) or None. floor: the random encoder, a dashed line.
    """
    with mpl.rc_context(STYLE):
        figure, axis = new(height=0.42 * len(rows) + 1.5)
        published = [r["published"] for r in rows if r.get("published") is not None]
        upper = axis.twiny()
        upper.set_visible(bool(published))
        for i, r in enumerate(rows):
            colour = COLOURS[r["family"]]
            axis.plot(
                [100 * r["low"], 100 * r["high"]],
                [i, i],
                color=colour,
                linewidth=2.5,
                solid_capstyle="butt",
            )
            axis.plot(100 * r["mean"], i, "o", color=colour, markersize=8)
            if r.get("published") is not None:
                upper.plot(
                    r["published"],
                    i,
                    "D",
                    markerfacecolor="none",
                    markeredgecolor=INK,
                    markersize=7,
                )
        axis.axvline(100 * floor, color=INK, linewidth=1, linestyle="--", alpha=0.7)
        if chance is not None:
            axis.axvline(100 * chance, color=INK, linewidth=1, linestyle=":", alpha=0.7)
        axis.set_yticks(range(len(rows)), [r["label"] for r in rows])
        axis.invert_yaxis()
        axis.set_xlabel("● ours: top-1, %")
        if published:
            upper.set_xlabel("◇ the paper's: ImageNet-100 top-1, %")
            upper.tick_params(labelsize=9)
            upper.spines["top"].set_visible(True)
    return svg(figure, alt, caption)
