"""The page on feature visualisations: one picture of each network on its way."""

from dataclasses import dataclass

import torch

from ...study import Profile, get_row
from .. import figures
from ..html import Html
from ..laws import Climb, climb, feature_vis_source
from ..sheets import slider

KINDS = ("random", "dead_leaves")  # networks that the pictures are of
PICTURE = 2  # which of each network's is shown; chosen here
SIDE = 64  # of that picture, in pixels; chosen here
STAGES = 8  # about as many of its stages are shown; chosen here


@dataclass(frozen=True)
class Climbs:
    """One picture of each network on its way; ``steps``: taken before each of its stages."""

    steps: list[int]
    climbs: dict[str, Climb]  # by the row's title


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
    alt = "One picture per network over the steps: noise first, then marks that repeat, "
    return slider(frames, f"{alt}then strong structure.", scale=3)


def climb_figure(climbs: Climbs) -> Html:
    """How much each picture excites its unit, over the steps."""
    figure, axis = figures.new(height=2.6)
    for title, each in climbs.climbs.items():
        excited = each.excited[:, 0].mean(1)
        axis.plot(climbs.steps, excited / excited[-1], "o-", label=title)
    axis.set_xlabel("step")
    axis.set_ylabel("activation, share of the last")
    axis.legend(frameon=False, labelcolor="linecolor")
    alt = "Activation of the unit over the steps of the optimisation, rising for both networks."
    return figures.svg(figure, alt)
