"""Random programs: their images, programs over time, accuracy by their number."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...generators import generator
from ...generators.programs import Programs, is_varied, render
from ...study import Profile, get_row
from .. import sheets
from ..captions import Records
from ..html import Html
from ..sheets import rows
from ..sweeps import along
from .stored import METHODS

TIMES = (0.5, 1.5, 2.5, 3.5, 4.5, 5.5)


def _programs() -> Programs:
    source = generator("programs")
    assert isinstance(source, Programs)
    return source


def sheet(count: int = 6, images: int = 7, size: int = 80) -> Html:
    """Some programs, a line each: images of one program differ in time and in small changes of
    its numbers.

    >>> sheet()  # doctest: +SKIP
    """
    source = _programs()
    turns = source.options.programs * torch.arange(images)
    lines = {f"program {i}": source.sample(i + turns, size) for i in range(count)}
    caption = (
        f"A line per program, {images} images of each: they differ in time and a little in the "
        "program's numbers."
    )
    return rows(lines, f"{images} abstract coloured patterns that resemble each other", caption)


def over_time(times: Sequence[float] = TIMES, count: int = 8, size: int = 72) -> dict[str, Tensor]:
    """Some programs at rising times: label → uint8 (3, h, w)."""
    drawn = _programs().program_keys(torch.arange(2 * count), 0)
    keys = drawn[is_varied(drawn)][:count]
    return {
        f"t = {t:g}": sheets.sheet(render(keys, torch.full((count,), t), size), count // 2)
        for t in times
    }


def by_number(records: Records, profile: Profile) -> Html:
    """Accuracy against the number of programs, a line per method."""
    lines: dict[str, dict[float, str]] = {}
    for name in records:
        row = get_row(name)
        if row.source_name == "programs" and row.classes == "own" and name.startswith("programs"):
            settings = row.settings(profile)
            number = float(row.source_options(settings)["programs"])
            lines.setdefault(METHODS[settings.method], {})[number] = name
    real = ("real", "the same network on real images")
    return along(records, profile, "programs", lines, *real)
