"""A generator that runs in the page: dead leaves, painted by book/_static/leaves.js."""

from html import escape

from ...core import rng
from ...generators import dead_leaves, generator
from ..embed import as_script
from ..figures import image_tag
from ..html import Html

EXPONENTS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)  # of the law of radii; the library's is SIGMA
SIZES = (64, 128, 192, 256)  # sides in pixels; the first is a scene of 128 px, halved
LAST = 9999  # index that the page offers
CAPTION = (
    "Dead leaves, painted by your browser from the same random numbers as the library: the image "
    "is the one that the line of code gives. Turn one knob at a time."
)


def leaves(index: int = 4, size: int = 128, shape: str = "mixed") -> Html:
    """Dead leaves with knobs: index, size, shape, exponent of the radii, and a button that paints
    slowly. Without JavaScript: the library's own image.

    >>> "<canvas" in leaves().content  # made by the script alone
    False
    """
    image = generator("dead_leaves-mixed", shape=shape).sample([index], size)[0]
    alt = f"Dead leaves, shape {shape}, image {index}: opaque shapes that cover each other."
    picture = image_tag(image.permute(1, 2, 0).numpy(), alt)
    knobs = [
        f'<label>image <input name="index" type="number" min="0" max="{LAST}" value="{index}">'
        "</label>",
        _select("shape", "shape", (*dead_leaves.SHAPES, "mixed"), shape),
        _select("size", "side, pixels", SIZES, size),
        _select("exponent", "exponent of the radii", EXPONENTS, dead_leaves.SIGMA),
        '<button type="button">paint slowly</button>',
    ]
    form = f'<form hidden autocomplete="off">{"".join(knobs)}</form>'
    below = f"<p><output></output> <code></code></p><figcaption>{escape(CAPTION)}</figcaption>"
    inside = f"{form}{picture}{below}{as_script(law())}"
    return Html(f'<figure class="synthlearn live-leaves">{inside}</figure>', alt)


def law() -> dict[str, object]:
    """The constants that the page's painter shares with the library's."""
    return {
        "stream": str(int(rng.key(dead_leaves.DeadLeaves.stream))),  # beyond what a number holds
        "least": dead_leaves.RADIUS_MIN,
        "most": dead_leaves.RADIUS_MAX,
        "grid": dead_leaves.GRID,
        "exponent": dead_leaves.SIGMA,
        "limit": dead_leaves.MAX_LEAVES,
        "shapes": dead_leaves.SHAPES,
        "levels": dead_leaves.LEVELS,
        "scene": dead_leaves.DeadLeaves.scene,
    }


def _select(name: str, label: str, values: tuple[object, ...], chosen: object) -> str:
    choices = "".join(
        f'<option value="{_text(value)}"{" selected" * (value == chosen)}>{_text(value)}</option>'
        for value in values
    )
    return f'<label>{label} <select name="{name}">{choices}</select></label>'


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
