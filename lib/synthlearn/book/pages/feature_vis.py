"""The page on feature visualisations: one picture of each network on its way."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...study import Profile, get_row
from .. import figures
from ..html import Html
from ..laws import Climb, climb, feature_vis_source
from ..sheets import enlarge, slider

KINDS = ("random", "dead_leaves")  # networks that the pictures are of
NAMES = ("of an untrained network", "of one trained on dead leaves")  # of these
EXAMPLE = 48  # pixels of an example, as the smaller profiles make them
PICTURE = 2  # which of each network's is shown; chosen here
SIDE = 64  # of that picture, in pixels; chosen here
STAGES = 8  # about as many of its stages are shown; chosen here


@dataclass(frozen=True)
class Climbs:
    """One picture of each network on its way; ``steps``: taken before each of its stages."""

    steps: list[int]
    climbs: dict[str, Climb]  # by the row's title


def examples(profile: Profile, n: int = 8) -> dict[str, Tensor]:
    """The first images of both networks, twice their size: name → uint8 (n, 3, 96, 96)."""
    sources = (feature_vis_source(kind, profile) for kind in KINDS)
    return {
        name: enlarge(source.sample(range(n), size=EXAMPLE), 2)
        for name, source in zip(NAMES, sources, strict=True)
    }


def climbs(profile: Profile) -> Climbs:
    """A picture of each network over the steps of its optimisation."""
    sources = {kind: feature_vis_source(kind, profile) for kind in KINDS}
    steps = max(4, sources[KINDS[0]].options.steps)
    every = max(1, steps // STAGES)
    # two, since a processor adds up in another order for a batch of one
    index = torch.tensor([PICTURE, PICTURE])
    each = {
        get_row(f"feature_vis-{kind}").title: climb(source, index, SIDE, steps, every)
        for kind, source in sources.items()
    }
    stages = len(next(iter(each.values())).stages)
    return Climbs([min(i * every, steps) for i in range(stages)], each)


def climb_slider(climbs: Climbs) -> Html:
    """The pictures of all networks side by side, over the steps."""
    frames = {
        f"step {step}": torch.cat([each.stages[i, 0] for each in climbs.climbs.values()], 2)
        for i, step in enumerate(climbs.steps)
    }
    return slider(
        frames,
        "An image of each network over the steps: faint noise, then marks, then strong structure",
        "Left: an image of the untrained network. Right: of the one trained on dead leaves.",
        scale=3,
    )


def climb_figure(climbs: Climbs) -> Html:
    """How much each picture excites its unit, over the steps."""
    figure, axis = figures.new(width=figures.PANEL, height=2.6)
    lines = []
    for name, colour, each in zip(NAMES, figures.LINES, climbs.climbs.values(), strict=False):
        excited = each.excited[:, 0].mean(1)
        axis.plot(climbs.steps, excited / excited[-1], "o-", color=colour)
        lines.append(figures.Line(name, colour))
    axis.set_xlabel("step")
    axis.set_ylabel("activation, share of the last")
    alt = "Activation of the unit over the steps of the optimisation, rising for both networks."
    note = "How much the image excites its unit, as a share of where the climb ends."
    return figures.row_of([figure], alt, note, lines)
