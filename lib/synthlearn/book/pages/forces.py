"""What alignment and uniformity do, on a toy: an image is a shape (one number), a view adds a
brightness of its own, and a small network sends views to the circle."""

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from ...learn import losses
from .. import figures
from ..figures import INK
from ..html import Html

HIDDEN, RATE, BATCH, STEPS, SEED = 32, 0.01, 32, 300, 7  # chosen here
IMAGES, VIEWS = len(figures.LINES), 40  # that are drawn: a colour each
PANELS = {"at the start": (0, 0), "align alone": (1, 0), "uniform alone": (0, 1), "both": (1, 1)}


def train(align_weight: float, uniform_weight: float, steps: int = STEPS) -> Tensor:
    """Views of six images on the circle, float (VIEWS, IMAGES, 2), after a training by a weighted
    sum of the two terms.

    >>> train(1, 0, steps=0).shape
    torch.Size([40, 6, 2])
    """
    generator = torch.Generator().manual_seed(SEED)
    network = nn.Sequential(nn.Linear(2, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2))
    for p in network.parameters():
        nn.init.normal_(p, std=p.shape[-1] ** -0.5, generator=generator)
    optimiser = torch.optim.Adam(network.parameters(), RATE)

    def views(shapes: Tensor, n: int) -> Tensor:
        brightness = torch.randn(n, len(shapes), generator=generator)
        seen = torch.stack((shapes.expand(n, -1), brightness), -1)
        return functional.normalize(network(seen), dim=-1)

    for _ in range(steps):
        x, y = views(3 * torch.rand(BATCH, generator=generator) - 1.5, 2)
        spread = (losses.uniform(x) + losses.uniform(y)) / 2
        loss = align_weight * losses.align(x, y) + uniform_weight * spread
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return views(torch.linspace(-1.5, 1.5, IMAGES), VIEWS).detach()


def terms(views: Tensor) -> tuple[float, float]:
    """Alignment of views (n, images, 2), n even, and their uniformity, each a mean over draws.

    >>> terms(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).expand(4, 2, 2))  # two antipodes
    (0.0, -8.0)
    """
    align = losses.align(views[::2].flatten(0, 1), views[1::2].flatten(0, 1))
    return float(align), float(torch.stack([losses.uniform(x) for x in views]).mean())


def figure() -> Html:
    """Where the views of each image come to lie under each term alone and under both."""
    drawn, words = [], []
    for title, weights in PANELS.items():
        views = train(*weights, steps=STEPS if any(weights) else 0)
        align, uniform = (f"{abs(value):.1f}" for value in terms(views))
        text = f"align {align}, uniform {'−' * (float(uniform) > 0)}{uniform}"
        drawn.append(_panel(views, title, text.replace(", ", "\n")))
        words.append(f"{title}: {text}")
    alt = f"Views of six images on a circle. {'; '.join(words)}."
    note = (
        "A toy: six images, a colour each, and forty views of each that differ in brightness, "
        "sent to the circle by a small network. Align alone sends all to one point. Uniform alone "
        "spreads views and mixes images. Both together keep an image's views close, images apart."
    )
    return figures.row_of(drawn, alt, note)


def _panel(views: Tensor, title: str, text: str) -> Figure:
    figure, axis = figures.new(width=1.7, height=2.5)  # two side by side on a phone
    angle = torch.linspace(0, 2 * torch.pi, 200)
    axis.plot(angle.cos(), angle.sin(), color=INK, linewidth=1, alpha=0.4)
    for i, colour in enumerate(figures.LINES):
        axis.plot(*views[:, i].T, "o", color=colour, markersize=5, alpha=0.5)
    axis.set_title(title, fontsize=12, color=INK)
    axis.set_xlabel(text, fontsize=11)
    axis.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=[], yticks=[])
    axis.spines[["left", "bottom"]].set_visible(False)
    drawn: Figure = figure
    return drawn
