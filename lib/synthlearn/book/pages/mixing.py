"""Mixing within an image: what goes in, and what comes out."""

import torch
from torch import Tensor

from ...generators.mixed import Mixed
from ...study import Experiment, Profile, get_row
from ..captions import Records
from ..html import Html
from ..sheets import rows

SIDE = 96  # of an image on the sheet in pixels
SHOWN = 1  # the first image on which every rule leaves a mark that one can see; chosen here


def examples(records: Records, profile: Profile, n: int = 8) -> Html:
    """The first images of each row.

    >>> examples(runs, p)  # doctest: +SKIP
    """
    images = {
        get_row(name).title: Experiment(get_row(name), profile, 0).source().sample(range(n), SIDE)
        for name in records
    }
    caption = "The first images of each set. All are made of the same three sets."
    return rows(images, f"{n} images of abstract shapes and clouds", caption)


def ingredients(profile: Profile, *names: str, index: int = SHOWN) -> Html:
    """An image of each of some rows of mixed images, last, behind those that it is made of.

    >>> ingredients(p, "mixed-convex", "mixed-kml")  # doctest: +SKIP
    """
    lines = {get_row(name).title: _made(name, profile, index) for name in names}
    caption = "In each line the images that go in, and last the one that comes out."
    return rows(lines, "Images that go in, then their mixture", caption)


def _made(name: str, profile: Profile, index: int) -> Tensor:
    """The ingredients of an image of a row, and that image: uint8 (n + 1, 3, s, s)."""
    source = Experiment(get_row(name), profile, 0).source()
    assert isinstance(source, Mixed)
    number = torch.tensor([index])
    parts = source.ingredients(source.keys(number), number, SIDE, 0)
    return torch.cat([parts[0], source.sample(number, SIDE)])
