"""The text-to-image model that is trained here from scratch: its samples, and what it took."""

from collections.abc import Sequence

from ...study import Profile
from ..html import Html, nothing, table
from ..sheets import rows
from . import kept
from .captions import MODELS, SIDE, guided, has_learned, learned, shown

HEADER = (
    "parameters",
    "real images",
    "images seen",
    "loss, first and last",
    "minutes",
    "sampler",
)


def sheet(profile: Profile, weights: Sequence[float] = (1.0, 2.0, 4.0)) -> Html:
    """Samples: a line for each w, a column for each of some captions, one noise to a column. Of
    mosaics where there is no trained model.
    """
    name, source = shown(profile)
    index = kept.evenly(source)
    lines = {f"w = {w:g}": kept.sample(guided(source, w), index, SIDE) for w in weights}
    texts = "; ".join(source.texts()[int(i)] for i in index)
    caption = f"One noise to a column, {MODELS[name]}. Captions from the left: {texts}."
    return rows(lines, f"{len(index)} images of {len(index)} captions", caption)


def training_table(profile: Profile) -> Html:
    """What the model is and what its training took; a line that says so until it is trained."""
    if not has_learned(profile):
        return nothing(f"Not trained yet in profile {profile.name}.")
    source = learned(profile)
    training, real = kept.training(source), source.real()[0].images
    body = [
        [
            f"{training['parameters'] / 1e6:.1f} M",
            f"{len(real):,} of {real.shape[-1]} px",
            f"{training['seen']:,} ({training['seen'] / len(real):.0f} times each)",
            f"{training['first']:.2f} → {training['last']:.2f}",
            f"{training['seconds'] / 60:.1f}",
            f"{source.options.steps} steps",
        ]
    ]
    return table(HEADER, body, f"Trained on {source.options.data} with seed 0.")
