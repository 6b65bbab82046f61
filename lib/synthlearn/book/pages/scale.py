"""What the papers' full-scale runs would take: counts of operations and bytes, and our own speeds,
turned into hours and storage.
"""

import io
from dataclasses import dataclass
from functools import cache
from html import escape

import torch
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ...generators import generator
from ...learn import encoders
from ...study import get_row
from ..captions import Records
from ..html import Html, scientific, table
from .benchmarks import generator_speeds, on_a_card

# FLOP/s of a bf16 matrix product on an H200, a reference figure: no record of ours stands behind it
MATMUL = 780e12
SHARES = (0.2, 0.35, 0.5)  # of that, in training; assumed where no card was measured
# what a card's benchmarks say of it
STEP = "training step, width 1, 64 px"
PRODUCT = "matrix product 8192³, bf16"
A100 = 312e12  # FLOP/s of a bf16 matrix product on an A100, its data sheet
DIFFUSION_SECONDS = 0.8  # per picture of Stable Diffusion on an A100, StableRep's own figure
DIFFUSION_SIDE = 512  # of such a picture in pixels
FORWARD_AND_BACKWARD = 3  # in forward passes
BATCH = 256  # pictures whose memory is told
MEASURED = (
    "GPU-hours at {share:.0f} % of {peak:.0f} TFLOP/s: both were measured on {card}, the share "
    "with the first line's network and views in a whole step. That the other networks reach it too "
    "is assumed."
)
ASSUMED = (
    "GPU-hours at {shares} % of {peak:.0f} TFLOP/s, from the largest share to the least; views per "
    "second at the middle one. Both are assumed: no record stands behind them."
)
TRAINING = (
    "run",
    "encoder",
    "views",
    "GFLOP, forward",
    "FLOP in all",
    "GPU-hours",
    "views/s of one GPU",
    f"GB kept for a batch of {BATCH}, bf16",
)
PICTURES = (
    "set",
    "images/s at 128 px, two cores",
    "hours, two cores",
    "hours, a GPU",
    "GB as bytes",
    "GB as PNG",
)
PICTURES_NOTE = (
    "{images:,} images of {side} px; speeds of 128 px divided by the ratio of areas. GPU: by its "
    "benchmarks; shared: by the best of the records, with nine to fifteen runs on one card."
)
DIFFUSION = (
    "images",
    "hours to make them, A100",
    "hours to train on them, A100",
    "ratio",
    f"TB as bytes of {DIFFUSION_SIDE} px",
)


@dataclass(frozen=True)
class Run:
    """A full-scale run: pictures of ``side`` px, how often each is seen, forward passes of each
    time, the encoder and its input size.
    """

    title: str
    encoder: str
    input_size: int
    images: int
    side: int
    times: float
    passes: float

    @property
    def views(self) -> float:
        """Of all its pictures."""
        return self.images * self.times

    @property
    def flop(self) -> float:
        """Operations of its training."""
        return self.views * self.passes * forward_flop(self.encoder, self.input_size)


SMALL = Run(
    title="noise, small scale, one set",
    encoder="SmallAlexNet",
    input_size=64,
    images=105_000,
    side=128,
    times=2 * 200,
    passes=FORWARD_AND_BACKWARD,
)
LARGE = Run(
    title="noise, large scale, one set: MoCo v2",
    encoder="resnet50",
    input_size=224,
    images=1_300_000,
    side=256,
    times=200,
    passes=FORWARD_AND_BACKWARD + 1,  # the key tower only looks
)
STABLEREP = Run(
    title="StableRep: ten million captions × 10",
    encoder="vit_b_16",
    input_size=224,
    images=100_000_000,
    side=256,
    times=9,  # 15 passes × six of a caption's ten
    passes=FORWARD_AND_BACKWARD,
)
RUNS = (SMALL, LARGE, STABLEREP)
ENCODERS = {"resnet50": "ResNet-50", "vit_b_16": "ViT-B/16"}  # as papers write them
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
        from ...core.vision import torchvision  # not before: it takes seconds, also of other pages

        return torchvision.models.vit_b_16().eval()
    return encoders.build(name, 1.0, size, 0).eval()


@cache
def forward_flop(name: str, size: int) -> int:
    """Operations of one picture's forward pass, multiplications and additions counted apart."""
    # with gradients: else attention takes a fused path that is not counted
    with FlopCounterMode(display=False) as counter:
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
        # held while the hooks' tensors are counted, so that no storage is used twice
        out = encoder(torch.zeros(1, 3, size, size))
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


def training_table() -> Html:
    """Operations, memory and GPU-hours of each run's training."""
    body, (peak, shares, note) = [], speed()
    for run in RUNS:
        hours = [run.flop / (peak * share) / 3600 for share in reversed(shares)]
        rate = run.views / (hours[len(hours) // 2] * 3600)
        memory = kept_bytes(run.encoder, run.input_size) / 2 * BATCH / 1e9
        body.append(
            [
                escape(run.title),
                f"{ENCODERS.get(run.encoder, run.encoder)}, {run.input_size} px",
                f"{run.views / 1e6:,.0f} million",
                f"{forward_flop(run.encoder, run.input_size) / 1e9:.1f}",
                scientific(run.flop),
                " … ".join(f"{h:,.0f}" if h > 10 else f"{h:.2g}" for h in hours),
                f"{rate:,.0f}",
                f"{memory:.1f}",
            ]
        )
    return table(TRAINING, body, note)


def speed() -> tuple[float, tuple[float, ...], str]:
    """Peak of a GPU in FLOP/s, shares of it that training reaches, and where both are from: a
    card's benchmarks, else assumed.
    """
    step, product = on_a_card(STEP), on_a_card(PRODUCT)
    if step and product and step[1] == product[1] and step[0]["share"]:
        peak, share = product[0]["value"] * 1e12, step[0]["share"]
        return peak, (share,), MEASURED.format(share=100 * share, peak=peak / 1e12, card=step[1])
    shares = ", ".join(f"{100 * share:.0f}" for share in SHARES)
    return MATMUL, SHARES, ASSUMED.format(shares=shares, peak=MATMUL / 1e12)


def pictures_table(rows: Records) -> Html:
    """Hours to make the pictures of the large scale, by set: two cores and a GPU by the benchmarks,
    else a GPU by the records of runs that shared one.
    """
    run = LARGE
    areas = (run.side / 128) ** 2  # speeds are of 128 px
    speeds, body = generator_speeds(), []
    for name in SETS:
        cores = ["–", "–"]
        if name in speeds:
            cores = [f"{speeds[name]:,.0f}", f"{_hours(speeds[name], areas):,.0f}"]
        body.append(
            [
                escape(get_row(name).title),
                *cores,
                _hours_on_a_card(name, rows, areas),
                f"{run.images * 3 * run.side**2 / 1e9:,.0f}",
                f"{png_bytes(name, run.side) * run.images / 1e9:,.0f}",
            ]
        )
    return table(PICTURES, body, PICTURES_NOTE.format(images=run.images, side=run.side))


def _hours(per_second: float, areas: float) -> float:
    return LARGE.images / (per_second / areas) / 3600


def _hours_on_a_card(name: str, rows: Records, areas: float) -> str:
    """By the benchmarks of a card of its own, else by the best of the records that shared one."""
    if alone := on_a_card(f"generator {name}, 128 px"):
        return _short(_hours(alone[0]["value"], areas))
    shared = [
        (run.cost.images or 0) / seconds
        for run in rows.get(name, ())
        if run.provenance.on_card and (seconds := run.cost.pool_seconds or 0.0) > 1
    ]
    return f"{_short(_hours(max(shared), areas))} (shared)" if shared else "–"


def _short(hours: float) -> str:
    """Two digits where there are no more before the point.

    >>> _short(123.4), _short(0.123)
    ('123', '0.12')
    """
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def diffusion_table() -> Html:
    """What a web-scale text-to-image model's samples cost beside the training on them."""
    run, share = STABLEREP, SHARES[1]
    making = run.images * DIFFUSION_SECONDS / 3600
    training = run.flop / (A100 * share) / 3600
    line = [
        f"{run.images:,}",
        f"{making:,.0f}",
        f"{training:,.0f}",
        f"{making / training:.0f}",
        f"{run.images * 3 * DIFFUSION_SIDE**2 / 1e12:.0f}",
    ]
    rate = f"{100 * share:.0f} % of {A100 / 1e12:.0f} TFLOP/s"
    paper = f"◇ The paper's {DIFFUSION_SECONDS:g} s per image"
    note = f"{paper}; training at {rate}. Both are hours of one kind of card."
    return table(DIFFUSION, [line], f"{note} {_own_model()}")


def _own_model() -> str:
    """What our own text-to-image model takes, where a card was measured."""
    trained, samples = on_a_card("6,000 such updates"), on_a_card("samples, base 64")
    if not trained or not samples:
        return "Our own model of 32 px has not been measured on a card yet."
    seconds, rate = f"{trained[0]['value']:,.0f} s", f"{samples[0]['value']:,.0f} images/s"
    elsewhere = f" on {trained[1]}" if trained[1] != samples[1] else ""
    trains = f"Our own model of 32 px is trained in {seconds}{elsewhere}"
    return f"{trains} and makes {rate}, on {samples[1]}."
