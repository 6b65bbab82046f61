"""The text-to-image model that is trained here from scratch: its samples, and what it took."""

from collections.abc import Sequence

import numpy as np
import torch

from ...core.image import resize
from ...study import Experiment, Profile, get_row
from ...text2image import Learned, flow
from ..html import Html, nothing, table
from ..sheets import rows
from .captions import MODELS, SIDE, captioned, guided, is_trained, model_row

HEADER = (
    "parameters",
    "real images",
    "images seen",
    "loss, first and last",
    "minutes",
    "sampler",
)


def model(profile: Profile) -> Learned:
    """The model that the profile trains, trained if it has to be."""
    source = Experiment(get_row("learned"), profile, 0).source()
    assert isinstance(source, Learned)
    return source


def sheet(profile: Profile, weights: Sequence[float] = (1.0, 2.0, 4.0), columns: int = 8) -> Html:
    """Samples: a line for each w, a column for each of some captions, one noise to a column. Of
    mosaics until the model has been trained.
    """
    name = model_row(profile)
    source = captioned(profile, name)
    number = source.options.number
    index = torch.arange(columns) * (number // columns)
    lines = {f"w = {w:g}": resize(guided(source, w).sample(index, SIDE), SIDE) for w in weights}
    texts = "; ".join(source.texts()[int(i)] for i in index)
    caption = f"One noise to a column, {MODELS[name]}. Captions from the left: {texts}."
    return rows(lines, f"{columns} images of {columns} captions", caption)


def training_table(profile: Profile) -> Html:
    """What the model is and what its training took; a line that says so until it is trained."""
    if not is_trained(profile):
        return nothing(f"Not trained yet in profile {profile.name}.")
    source = model(profile)
    network, header = flow.load(source.path())
    images, seen = len(source.real()[0]), header["pictures"]
    parameters = sum(p.numel() for p in network.parameters())
    first, last = header["loss"][0], np.mean(header["loss"][-10:])
    body = [
        [
            f"{parameters / 1e6:.1f} M",
            f"{images:,} of {header['side']} px",
            f"{seen:,} ({seen / images:.0f} times each)",
            f"{first:.2f} → {last:.2f}",
            f"{header['seconds'] / 60:.1f}",
            f"{source.options.steps} steps",
        ]
    ]
    return table(HEADER, body, f"Trained on {source.options.data} with seed 0.")
