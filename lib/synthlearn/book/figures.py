"""The style that all figures share.

Plots are SVG inside the page, in the page's own text colour, so that they read in light and dark;
pictures are PNG.
"""

import base64
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from PIL import Image

from ..core import files
from ..core.errors import ParameterError
from . import html


class _Families(dict[str, str]):
    def __missing__(self, family: str) -> str:
        must = f"must be one of {', '.join(self)}; or give it a colour in book/figures.py"
        raise ParameterError(f"family = {family!r}: {must}")


# Okabe and Ito's colours, readable for colour-blind eyes and on light and dark ground, and more
# for the families beyond their eight; one per family
COLOURS = _Families(
    {
        "dead_leaves": "#E69F00",
        "fractals": "#009E73",
        "noise": "#999999",
        "baseline": "#56B4E9",
        "real": "#D55E00",
        "statistical": "#CC79A7",
        "stylegan": "#0072B2",
        "feature_vis": "#B8A800",
        "mixture": "#7A5195",
        "text2image": "#882255",
        "programs": "#117733",
        "formulas": "#A65628",
        "own": "#AA4499",
        "reference": "#777777",
    }
)
# for lines of one figure
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
WIDTH = 5.2  # inches: shrunk to a phone's 342 px, letters of 11 points have 10 px
PANEL = 3.5  # inches: two beside each other fill the page's column
SAVED_DPI = 200  # of a figure that is a file of its own; chosen here
PNG_BYTES = 20_000  # larger pictures are stored with some loss; chosen here
DASHES = {"--": "8 4", ":": "2 4", "-.": "8 3 2 3"}  # of SVG, by matplotlib's names
INK = "#123456"  # stands for the page's text colour until the SVG is written
TRANSPARENT = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
# matplotlib's settings, whose type names each of its keys
STYLE: dict[Any, Any] = {
    **dict.fromkeys(TRANSPARENT, "none"),
    **dict.fromkeys(INKED, INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "font.size": 11,
    "font.family": "sans-serif",
    "lines.linewidth": 2,
    "svg.fonttype": "none",
    "svg.hashsalt": "synthlearn",
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
}
_numbers = itertools.count(1)
# in the tag, so that it holds in Jupyter too, where the book's style sheet is not
SIDE_BY_SIDE = (
    "display: flex; flex-wrap: wrap; gap: 0.8rem 0.4rem; justify-content: center; "
    "align-items: flex-start"
)


@dataclass(frozen=True)
class Line:
    """A line of a legend: label, colour and matplotlib's dash style."""

    label: str
    colour: str
    dash: str = "-"

    def swatch(self) -> str:
        """A short piece of the line, as inline SVG."""
        dashes = f'stroke-dasharray="{DASHES[self.dash]}"' if self.dash != "-" else ""
        stroke = f'stroke="{self.colour}" stroke-width="3" {dashes}'
        return f'<svg width="30" height="10" aria-hidden="true"><path d="M2 5H26" {stroke}/></svg>'


def new(
    columns: int = 1, width: float = WIDTH, height: float = 3.2, **options: Any
) -> tuple[Figure, Any]:
    """A figure in the style, and its axes (an array if there are several). At most ``WIDTH`` inches
    wide its letters can be read on a phone; panels beside each other are :func:`row_of` figures.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        return figure, figure.subplots(1, columns, **options)


def legend(of: Axes | Figure, **options: Any) -> None:
    """A legend of axes or of a whole figure, its letters as large as the other ones."""
    with mpl.rc_context(STYLE):
        of.legend(labelcolor=INK, **options)


def plain_log(axis: Axes) -> None:
    """A logarithmic x axis with plain numbers: letters of a power of ten are too small for a
    phone."""
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())


def svg(figure: Figure, alt: str, caption: str = "") -> html.Html:
    """A matplotlib figure as inline SVG in the page's text colour.

    Raises: ParameterError without ``alt``.
    """
    return html.figure(_svg_text(figure, alt), alt, caption)


def row_of(
    drawn: Sequence[Figure], alt: str, caption: str = "", legend: Sequence[Line] = ()
) -> html.Html:
    """Figures side by side where there is room, else below each other, over one legend.

    Raises: ParameterError without ``alt``.
    """
    inside = "".join(_svg_text(each, alt if i == 0 else "") for i, each in enumerate(drawn))
    lines = "".join(f"<span>{line.swatch()}{escape(line.label)}</span>" for line in legend)
    below = f'<p class="legend" style="{SIDE_BY_SIDE}">{lines}</p>' if legend else ""
    row = f'<div class="figures" style="{SIDE_BY_SIDE}">{inside}</div>'
    return html.figure(f"{row}{below}", alt, caption)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG on white, whatever the path's ending; it appears whole or not at
    all."""
    with files.atomic(path) as temporary, mpl.rc_context(STYLE):
        figure.savefig(temporary, format="png", facecolor="white", dpi=SAVED_DPI)


def _svg_text(figure: Figure, alt: str) -> str:
    """A figure's SVG; without ``alt`` it is hidden from those who hear the page, as one of several
    that another's text describes.
    """
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    prefix = f"f{next(_numbers)}-"  # ids must be unique on a page
    for mark in ('id="', 'href="#', "url(#"):
        text = text.replace(mark, mark + prefix)
    role = f'role="img" aria-label="{escape(alt, quote=True)}"' if alt else 'aria-hidden="true"'
    # a page's style may stretch pictures to its column, which would enlarge the letters
    most = f'style="max-width: min(100%, {figure.get_figwidth():g}in)"'
    return text.replace("<svg ", f"<svg {role} {most} ", 1)


def image_tag(pixels: np.ndarray, alt: str, scale: int = 1, most: int = PNG_BYTES) -> str:
    """An <img> of uint8 pixels (h, w, 3 or 4) inside the page, enlarged ``scale`` times by the
    browser: PNG, or WebP where that is above ``most`` bytes.
    """
    stream, form = io.BytesIO(), "png"
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    if stream.tell() > most:
        stream, form = io.BytesIO(), "webp"
        Image.fromarray(pixels).save(stream, "WEBP", quality=85, method=6)
    source = f"data:image/{form};base64,{base64.b64encode(stream.getvalue()).decode()}"
    # the theme puts a box behind other pictures in the dark
    kind = "pixels dark-light" if scale > 1 else "dark-light"
    size = f'width="{pixels.shape[1] * scale}" class="{kind}"'
    return f'<img src="{source}" alt="{escape(alt, quote=True)}" {size}>'
