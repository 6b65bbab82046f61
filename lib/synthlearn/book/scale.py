"""What the papers' full-scale runs would take: counts of operations and bytes, and our own speeds, turned into hours and storage."""

import html
import io
from dataclasses import dataclass
from functools import cache

import torch
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..core import vision
from ..generators import generator
from ..learn import encoders
from . import figures
from .chapter import Records, table
from .leaderboard import generator_speeds, on_a_card

MATMUL = 780e12  # FLOP/s of a bf16 matrix product on an H200, a reference figure: no record of ours stands behind it
SHARES = (0.2, 0.35, 0.5)  # of that, in training; assumed where no card was measured
STEP, PRODUCT = (
    "training step, width 1, 64 px",
    "matrix product 8192³, bf16",
)  # what a card's benchmarks say of it
A100 = 312e12  # FLOP/s of a bf16 matrix product on an A100, its data sheet
DIFFUSION_SECONDS = 0.8  # per picture of Stable Diffusion on an A100, StableRep's own figure
FORWARD_AND_BACKWARD = 3  # in forward passes


@dataclass(frozen=True)
class Run:
    """A full-scale run: pictures of ``side`` px, how often each is seen, forward passes of each time, the encoder and its input size."""

    title: str
    encoder: str
    input_size: int
    images: int
    side: int
    times: float
    passes: float


RUNS = (
    Run(
        "noise, small scale, one set",
        "SmallAlexNet",
        64,
        105_000,
        128,
        2 * 200,
        FORWARD_AND_BACKWARD,
    ),
    Run(
        "noise, large scale, one set: MoCo v2",
        "resnet50",
        224,
        1_300_000,
        256,
        200,
        FORWARD_AND_BACKWARD + 1,
    ),  # the key tower only looks
    Run(
        "StableRep: ten million captions × 10",
        "vit_b_16",
        224,
        100_000_000,
        256,
        9,
        FORWARD_AND_BACKWARD,
    ),  # 15 passes × six of a caption's ten
)
SETS = (
    "dead_leaves-mixed",
    "fractals-sigma",
    "stat-spectrum_color",
    "stat-wmm",
    "stylegan-oriented",
)


@cache
def network(name: str, size: int) -> nn.Module:
    """One of the papers' encoders at full width."""
    if name == "vit_b_16":
        vision.declare_operators()
        from torchvision.models import vit_b_16

        return vit_b_16().eval()
    return encoders.build(name, 1.0, size, 0).eval()


@cache
def forward_flop(name: str, size: int) -> int:
    """Operations of one picture's forward pass, multiplications and additions counted apart."""
    with FlopCounterMode(
        display=False
    ) as counter:  # with gradients: else attention takes a fused path that is not counted
        network(name, size)(torch.zeros(1, 3, size, size))
    return counter.get_total_flops()


@cache
def kept_bytes(name: str, size: int) -> int:
    """Bytes that training keeps of one picture for the backward pass, float32."""
    encoder, kept = network(name, size), dict[int, int]()
    own = {x.untyped_storage().data_ptr() for x in (*encoder.parameters(), *encoder.buffers())}

    def keep(x: torch.Tensor) -> torch.Tensor:
        where = x.untyped_storage()
        if where.data_ptr() not in own:
            kept[where.data_ptr()] = where.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        out = encoder(
            torch.zeros(1, 3, size, size)
        )  # held while the hooks' tensors are counted, so that no storage is used twice
    del out
    return sum(kept.values())


def png_bytes(name: str, side: int, n: int = 4) -> float:
    """Mean bytes of a picture as PNG."""
    total = 0
    for picture in generator(name).sample(range(n), side):
        stream = io.BytesIO()
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(stream, "PNG")
        total += stream.tell()
    return total / n


def training_table() -> figures.Shown:
    """Operations, memory and GPU-hours of each run's training."""
    body, (peak, shares, note) = [], speed()
    middle = len(shares) // 2
    for run in RUNS:
        flop = forward_flop(run.encoder, run.input_size)
        total = run.images * run.times * run.passes * flop
        hours = [total / (peak * share) / 3600 for share in shares]
        rate = run.images * run.times / (hours[middle] * 3600)
        memory = kept_bytes(run.encoder, run.input_size) / 2 * 256 / 1e9
        body.append([
            html.escape(run.title), f"{run.encoder}, {run.input_size} px", f"{run.images * run.times / 1e6:,.0f} million", f"{flop / 1e9:.1f}", f"{total:.1e}",
            " … ".join(f"{h:,.3g}" for h in reversed(hours)), f"{rate:,.0f}", f"{memory:.1f}",
        ])  # fmt: skip
    header = [
        "run",
        "encoder",
        "views",
        "GFLOP, forward",
        "FLOP in all",
        "GPU-hours",
        "views/s of one GPU",
        "GB kept for a batch of 256, bf16",
    ]
    return table(header, body, note)


def speed() -> tuple[float, tuple[float, ...], str]:
    """Peak of a GPU in FLOP/s, shares of it that training reaches, and where both are from: a card's benchmarks, else assumed."""
    step, product = on_a_card(STEP), on_a_card(PRODUCT)
    if step and product and step[1] == product[1] and step[0]["share"]:
        peak, share = product[0]["value"] * 1e12, step[0]["share"]
        note = f"GPU-hours at {100 * share:.0f} % of {peak / 1e12:.0f} TFLOP/s: both were measured on {step[1]}, the share with the first line's "
        return (
            peak,
            (share,),
            note
            + "network and views in a whole step. That the other networks reach it too is assumed.",
        )
    said = ", ".join(f"{100 * share:.0f}" for share in SHARES)
    note = f"GPU-hours at {said} % of {MATMUL / 1e12:.0f} TFLOP/s, from the largest share to the least; views per second at the middle one. "
    return MATMUL, SHARES, note + "Both are assumed: no record stands behind them."


def pictures_table(found: Records) -> figures.Shown:
    """Hours to make 1.3 million pictures of 256 px, by set: two cores and a GPU by the benchmarks, else a GPU by the records of runs that shared one."""
    run = RUNS[1]
    speeds = generator_speeds()
    body = []
    for name in SETS:
        mine = [
            (r.cost.images or 0) / seconds
            for r in found.get(name, ())
            if r.provenance.on_card and (seconds := r.cost.pool_seconds or 0.0) > 1
        ]
        cores = (
            f"{run.images / (speeds[name] / (run.side / 128) ** 2) / 3600:,.0f}"
            if name in speeds
            else "–"
        )
        alone = on_a_card(f"generator {name}, 128 px")
        best = alone[0]["value"] if alone else max(mine, default=0.0)
        card = (
            f"{run.images / (best / (run.side / 128) ** 2) / 3600:,.2g}{'' if alone else ' (shared)'}"
            if best
            else "–"
        )
        written = png_bytes(name, run.side) * run.images / 1e9
        body.append(
            [
                name,
                f"{speeds[name]:,.0f}" if name in speeds else "–",
                cores,
                card,
                f"{run.images * 3 * run.side**2 / 1e9:,.0f}",
                f"{written:,.0f}",
            ]
        )
    header = [
        "set",
        "pictures/s at 128 px, two cores",
        "hours, two cores",
        "hours, a GPU",
        "GB as bytes",
        "GB as PNG",
    ]
    note = f"{run.images:,} pictures of {run.side} px; speeds of 128 px divided by the ratio of areas. – : no measurement. GPU: by its benchmarks; "
    return table(
        header,
        body,
        note + "shared: by the best of the records, with nine to fifteen runs on one card.",
    )


def diffusion_table() -> figures.Shown:
    """What a web-scale text-to-image model's samples cost beside the training on them."""
    run = RUNS[2]
    made = run.images * DIFFUSION_SECONDS / 3600
    trained = (
        run.images
        * run.times
        * run.passes
        * forward_flop(run.encoder, run.input_size)
        / (A100 * SHARES[1])
        / 3600
    )
    body = [
        [
            f"{run.images:,}",
            f"{made:,.0f}",
            f"{trained:,.0f}",
            f"{made / trained:.0f}",
            f"{run.images * 3 * 512**2 / 1e12:.0f}",
        ]
    ]
    header = [
        "pictures",
        "hours to make them, A100",
        "hours to train on them, A100",
        "ratio",
        "TB as bytes of 512 px",
    ]
    rate = f"{100 * SHARES[1]:.0f} % of {A100 / 1e12:.0f} TFLOP/s"
    note = f"◇ The paper's {DIFFUSION_SECONDS:g} s per picture; training at {rate}. Both are hours of one kind of card. "
    return table(header, body, note + _learned())


def _learned() -> str:
    """What our own text-to-image model takes, where a card was measured."""
    trained, samples = on_a_card("6,000 such updates"), on_a_card("samples, base 64")
    if not trained or not samples:
        return "Our own model of 32 px has not been measured on a card yet."
    return f"Our own model of 32 px is trained in {trained[0]['value']:,.0f} s and makes {samples[0]['value']:,.0f} pictures/s, on {samples[1]}."
