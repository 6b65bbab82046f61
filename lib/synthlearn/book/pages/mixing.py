"""Mixing within a picture: what goes in, and what comes out."""

import torch

from ...generators.mixed import Mixed
from ...study import Experiment, Profile, get_row
from ..html import Html
from ..sheets import contact_sheet

SIDE = 128  # of a picture on the sheet in pixels


def sheet(name: str, profile: Profile, n: int = 2) -> Html:
    """Pictures of a row of mixed pictures, each behind those that it is made of: a line per
    picture.
    """
    row = get_row(name)
    source = Experiment(row, profile, 0).source()
    assert isinstance(source, Mixed)
    index = torch.arange(n)
    parts = source.ingredients(source.keys(index), index, SIDE, 0)
    made = source.sample(index, SIDE)
    count = parts.shape[1]
    line = f"in each line the {count} pictures that go in, and at its end the one that comes out"
    alt = f"{row.title}: {line}."
    pictures = torch.cat([parts, made[:, None]], 1).flatten(0, 1)
    return contact_sheet(pictures, alt, alt, count + 1)
