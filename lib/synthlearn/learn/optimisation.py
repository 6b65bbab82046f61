"""How weights are updated: the optimiser, its learning rates, the size of batches."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.9  # of SGD (noise paper, authors' code)
BETAS = (0.9, 0.98)  # of AdamW (StableRep, authors' code)
WARM_UP = 0.2  # share of a one-cycle schedule that climbs; chosen here
# shares of a step schedule, × 0.1 after each (noise paper: epochs 155, 170, 185 of 200)
STEPS = (155 / 200, 170 / 200, 185 / 200)
LR_BATCH = 256  # images of the batch that ``lr`` is for


@dataclass(frozen=True)
class Optimisation:
    """SGD with momentum 0.9 and weight decay on every parameter (authors' code), or AdamW with
    weight decay on matrices alone (StableRep's).

    Args:
        epochs: how often a training goes through its images.
        batch_size: images of a step.
        lr: learning rate per 256 images of a batch.
        schedule: "onecycle" climbs over the first fifth and falls by a cosine to zero; "step" is
            the noise paper's.
        weight_decay: factor of the penalty.
        precision: "fp32", or "bf16" by autocast.
        optimiser: "sgd" or "adamw".
        last_batch: of an epoch, smaller than the others: "kept", as in the reference, or it
            "waits": its images come in another epoch, all batches have one size.

    >>> Optimisation(epochs=2, batch_size=10).steps_per_epoch(24)
    3
    >>> Optimisation(epochs=2, batch_size=10, last_batch="waits").steps_per_epoch(24)
    2
    """

    epochs: int
    batch_size: int
    lr: float = 0.12
    schedule: str = "onecycle"
    weight_decay: float = 1e-4
    precision: str = "fp32"
    optimiser: str = "sgd"
    last_batch: str = "kept"

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over parameters of one device; its rate is set at every step, on a GPU in
        a tensor."""
        every = list(parameters)
        on_gpu = every[0].device.type == "cuda"
        settings: dict[str, Any] = {"lr": 0.0}
        if on_gpu:
            settings = {"lr": torch.zeros((), device=every[0].device), "fused": True}
        if self.optimiser == "sgd":
            optimiser: torch.optim.Optimizer = torch.optim.SGD(
                every, momentum=MOMENTUM, weight_decay=self.weight_decay, **settings
            )
        else:
            matrices = [p for p in every if p.ndim > 1]
            vectors = [p for p in every if p.ndim < 2]
            groups = [
                {"params": matrices, "weight_decay": self.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ]
            capturable = {"capturable": True} if on_gpu else {}
            optimiser = torch.optim.AdamW(groups, betas=BETAS, **settings, **capturable)
        if on_gpu:  # what a step changes has its place before the first one
            for p in every:
                optimiser.state[p] = self.initial_state(p)
        return optimiser

    def initial_state(self, p: Tensor) -> dict[str, Tensor]:
        """What the optimiser keeps of a parameter, before any step."""
        if self.optimiser == "sgd":
            return {"momentum_buffer": torch.zeros_like(p)}
        return {
            "step": torch.zeros((), device=p.device),
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
        }

    def spec(self) -> dict[str, Any]:
        """For a record: all settings, and the optimiser's constant."""
        constant = {"momentum": MOMENTUM} if self.optimiser == "sgd" else {"betas": BETAS}
        return {**asdict(self), **constant}

    def steps_per_epoch(self, n: int) -> int:
        """Batches in an epoch of n images; a last, smaller one that is kept counts if it has at
        least two images."""
        whole, left = divmod(n, self.batch_size)
        return whole + (self.last_batch == "kept" and left >= 2)


def learning_rate(step: int, steps: int, optimisation: Optimisation) -> float:
    """Learning rate at ``step`` (from 0) of ``steps``.

    >>> cycle = Optimisation(epochs=1, batch_size=256, lr=0.1)
    >>> [round(learning_rate(step, 10, cycle), 3) for step in range(0, 10, 3)]
    [0.05, 0.096, 0.05, 0.004]
    """
    peak = optimisation.lr * optimisation.batch_size / LR_BATCH
    share = step / steps
    if optimisation.schedule == "step":
        return peak * 0.1 ** sum(share >= s for s in STEPS)
    if share < WARM_UP:
        return peak * (step + 1) / max(1, round(steps * WARM_UP))
    return peak * 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))
