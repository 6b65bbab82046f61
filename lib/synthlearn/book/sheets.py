"""Pictures on a page: contact sheets, pictures side by side or along a slider, filters, units."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import torch
from torch import Tensor

from ..core.image import to_tiles
from ..generators.feature_vis import visualise
from ..study import Experiment, Profile, Runs, get_row
from .captions import Records
from .figures import SIDE_BY_SIDE, image_tag
from .html import Html, figure

NAMED = "display: flex; flex-wrap: wrap; align-items: center; gap: 0.2rem 0.6rem; text-align: left"
LONG_NAME = 24  # letters of a row's name that need a wider column
NONE: Mapping[str, str] = {}
UNIT_STEPS = {"smoke": 8}  # of the climb to a unit's picture, by profile; else:
USUAL_UNIT_STEPS = 96


def contact_sheet(images: Tensor, alt: str, caption: str = "", columns: int = 8) -> Html:
    """Pictures uint8 (n, 3, s, s) as one, row by row.

    Raises: ParameterError without ``alt``.
    """
    return figure(image_tag(to_tiles(images, columns).numpy(), alt), alt, caption)


def rows(
    images: Mapping[str, Tensor],
    alt: str,
    caption: str = "",
    links: Mapping[str, str] = NONE,
    scale: int = 1,
) -> Html:
    """Rows of pictures uint8 (n, 3, s, s), each beside its name: name → pictures.

    links: name → address of the page that tells more. scale: times that the browser enlarges them.

    Raises: ParameterError without ``alt``.
    """
    longest = max(map(len, images), default=0)
    width = "7rem" if longest < LONG_NAME else "13rem"
    if longest > 2 * LONG_NAME:
        width += "; font-size: 0.85rem"
    lines = ""
    for name, each in images.items():
        title = escape(name)
        if name in links:
            title = f'<a href="{escape(links[name], quote=True)}">{title}</a>'
        tag = image_tag(to_tiles(each, len(each)).numpy(), f"{alt} ({name})", scale)
        lines += (
            f'<div class="named" style="{NAMED}"><span style="flex: 0 0 {width}">{title}</span>'
        )
        lines += f'<div style="flex: 1 1 16rem; min-width: 0">{tag}</div></div>'
    return figure(f'<div class="rows">{lines}</div>', alt, caption)


def labelled(panels: Mapping[str, Tensor], alt: str, caption: str = "") -> Html:
    """Pictures uint8 (3, s, s) side by side, each under its label."""
    return figure(_panels("panels", panels, alt, 1), alt, caption)


def slider(frames: Mapping[str, Tensor], alt: str, caption: str = "", scale: int = 1) -> Html:
    """Pictures uint8 (3, h, w) along one parameter, label → picture, that a slider moves through;
    without JavaScript they stand side by side.

    scale: times that the browser enlarges them.
    """
    return figure(_panels("panels slider", frames, alt, scale), alt, caption)


def _panels(kind: str, panels: Mapping[str, Tensor], alt: str, scale: int) -> str:
    cells = ""
    for label, picture in panels.items():
        tag = image_tag(picture.permute(1, 2, 0).numpy(), f"{alt} ({label})", scale)
        cells += f"<figure>{tag}<figcaption>{escape(label)}</figcaption></figure>"
    return f'<div class="{kind}" style="{SIDE_BY_SIDE}">{cells}</div>'


def sheet(images: Tensor, columns: int = 8) -> Tensor:
    """Pictures uint8 (n, 3, s, s) row by row as one uint8 (3, h, w), black between them."""
    tiles = to_tiles(images, columns)
    return (tiles[..., :3] * (tiles[..., 3:] > 0)).permute(2, 0, 1).contiguous()


def enlarge(images: Tensor, times: int) -> Tensor:
    """Pictures (n, 3, h, w) with each pixel repeated: (n, 3, times·h, times·w)."""
    return images.repeat_interleave(times, 2).repeat_interleave(times, 3)


def grey(plane: Tensor) -> Tensor:
    """A plane of any values, float (h, w), stretched to a grey picture: uint8 (3, h, w)."""
    plane = plane - plane.min()
    return (255 * plane / plane.max().clamp_min(1e-12)).round().byte().expand(3, -1, -1)


def filters(weights: Mapping[str, np.ndarray], alt: str, caption: str = "") -> Html:
    """First-layer filters, label → float (channels, 3, 3, 3), each filter stretched to its own
    range, as enlarged tiles.
    """
    panels = {}
    for label, values in weights.items():
        w = torch.from_numpy(values)
        largest = w.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        tiles = to_tiles(enlarge(((w / largest + 1) * 127.5).byte(), 10), 8)
        panels[label] = tiles.permute(2, 0, 1)
    return labelled(panels, alt, caption)


def first_layer(records: Records, **more: Runs) -> Html:
    """First-layer filters of seed 0 of each row."""
    every = {get_row(name).title: runs.first.filters for name, runs in {**records, **more}.items()}
    weights = {title: values for title, values in every.items() if values is not None}
    alt = f"First-layer filters of {', '.join(weights)}."
    note = "First-layer filters after training, each stretched to its own range."
    return filters(weights, alt, note)


def unit_sheets(
    names: Sequence[str], taps: Sequence[str], profile: Profile, units: int = 8, size: int = 48
) -> dict[str, Html]:
    """Pictures that excite the first units of convolutions, tap → a sheet with a row per encoder,
    seed 0.
    """
    steps = UNIT_STEPS.get(profile.name, USUAL_UNIT_STEPS)
    which, index = [get_row(name) for name in names], torch.arange(units)
    encoders = [
        str(Experiment(row, profile, 0).trained_encoder()) if row.trained else "small"
        for row in which
    ]
    sheets = {}
    for tap in taps:
        pictures = {
            row.title: enlarge(visualise(encoder, tap, index, size, steps, width=profile.width), 2)
            for row, encoder in zip(which, encoders, strict=True)
        }
        alt = f"Images that excite {units} units of {tap}"
        caption = f"{tap}: images that excite its first {units} units, a row per encoder."
        sheets[tap] = rows(pictures, alt, caption)
    return sheets
