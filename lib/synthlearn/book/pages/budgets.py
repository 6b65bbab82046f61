"""What a run of the papers and a run of ours take, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ...learn import encoders
from ...study import Profile, Runs
from ..captions import Records
from ..html import Html, scientific, table
from ..published import published_updates
from . import scale

LARGE_STEPS = 200 * 5078  # epochs × steps: the authors' launch script, which drops the last batch
CAPTIONS = 1376  # of StableRep's batch, six images each: the authors' script
HEADER = (
    "run",
    "top-1 on",
    "images",
    "updates",
    "views seen",
    "parameters",
    "FLOP",
    "hours",
    "source",
)
NOTE = (
    "One run of one set. Images, epochs and batch of the papers' runs are those of the authors' "
    "code. FLOP: of the training alone, counted here from the network and the views. "
    "Hours of the papers' runs are not published: they are what their FLOP take on one GPU, by the "
    "table above. Ours: means of the records, of training alone."
)
CODE = "the authors' code, and counted"
PAPERS: tuple[tuple[scale.Run, str, Callable[[], int]], ...] = (
    (scale.SMALL, "ImageNet-100", published_updates),
    (scale.LARGE, "ImageNet-1k", lambda: LARGE_STEPS),
    (
        scale.STABLEREP,
        "ImageNet-1k",
        lambda: int(scale.STABLEREP.views / (6 * CAPTIONS)),
    ),
)
ROW = "dead_leaves-mixed"  # stands for the runs of the main protocol


@dataclass(frozen=True)
class Budget:
    """A run's line: what it trains on, how long, and what that takes."""

    title: str
    data: str
    images: str
    updates: int
    views: float
    parameters: int
    flop: float
    hours: str
    source: str

    def cells(self) -> list[str]:
        """As the table shows it."""
        return [
            escape(self.title),
            escape(self.data),
            self.images,
            f"{self.updates:,}",
            f"{self.views / 1e6:,.3g} million",
            f"{self.parameters / 1e6:.1f} million",
            scientific(self.flop),
            self.hours,
            escape(self.source),
        ]


def compared(rows: Records, profile: Profile) -> Html:
    """A run of each paper's scale, and ours where there is one."""
    budgets = [_paper(*paper) for paper in PAPERS]
    if ROW in rows:
        budgets.append(_ours(rows[ROW], profile))
    return table(HEADER, [budget.cells() for budget in budgets], NOTE)


def _paper(run: scale.Run, data: str, updates: Callable[[], int]) -> Budget:
    peak, shares, _ = scale.speed()
    hours = [run.flop / (peak * share) / 3600 for share in reversed(shares)]
    ends = " to ".join(f"{h:,.0f}" if h > 10 else f"{h:.2g}" for h in (hours[0], hours[-1]))
    ends = ends if len(hours) > 1 else ends.split(" ")[0]
    return Budget(
        title=run.title,
        data=data,
        images=f"{run.images:,} of {run.side} px",
        updates=updates(),
        views=run.views,
        parameters=_parameters(scale.network(run.encoder, run.input_size)),
        flop=run.flop,
        hours=f"{ends} of a GPU",
        source=CODE,
    )


def _ours(runs: Runs, profile: Profile) -> Budget:
    """A run of the study: its pictures, updates and views as recorded."""
    settings = runs.row.settings(profile)
    network = encoders.build(settings.encoder, settings.width, settings.crop, 0).eval()
    run = runs.first
    assert run.spec.source is not None
    views = run.cost.views or 0
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, settings.crop, settings.crop))
    seconds = [each.cost.train_seconds or 0 for each in runs if not each.provenance.on_card]
    where = "a core" if seconds else "a GPU, shared"
    seconds = seconds or [each.cost.train_seconds or 0 for each in runs]
    return Budget(
        title=f"here, profile {profile.name}: {runs.row.title}",
        data=settings.data,
        images=f"{run.spec.source.n_images:,} of {run.spec.source.image_size} px",
        updates=run.updates,
        views=views,
        parameters=_parameters(network),
        flop=views * scale.FORWARD_AND_BACKWARD * counter.get_total_flops(),
        hours=f"{np.mean(seconds) / 3600:.2g} of {where}",
        source="the records",
    )


def _parameters(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())
