"""The paper's numbers, which tables and plots show beside ours."""

import dataclasses
import json
from dataclasses import dataclass

from ..core import files
from ..study.profiles import defaults

FILE = "book/published.json"
RANDOM = "CNN-Rand"  # the paper's name of its untrained encoder
REAL = ("ImageNet-100", "Places")  # the paper's names of its real images
NOISE = "noise of the paper"  # the kind of the sets that the paper made


@dataclass(frozen=True)
class Published:
    """A bar of the paper's figure: ``row`` by the paper's name, ``value`` in per cent."""

    row: str
    value: float
    kind: str
    note: str = ""

    @property
    def is_cut_off(self) -> bool:
        """Whether the figure cuts the bar off, so that its value is a bound."""
        return "at least" in self.note


@dataclass(frozen=True)
class Share:
    """How far the paper's best noise went from its random encoder to real images.

    left: points between the noise and the real images. share: of the way. is_bound: whether the
    real images' bar is cut off, so that ``share`` is at most this.
    """

    best: Published
    left: float
    share: float
    is_bound: bool


def published(path: str = FILE) -> dict[str, Published]:
    """The paper's numbers by its names of the rows."""
    content = json.loads((files.root() / path).read_text(encoding="utf-8"))
    return {row["row"]: Published(**row) for row in content["rows"]}


def published_shares() -> dict[str, Share]:
    """How far the paper's best noise went, by the set of real images."""
    paper = published()
    noise = [each for each in paper.values() if each.kind == NOISE]
    best, floor = max(noise, key=lambda each: each.value), paper[RANDOM].value
    shares = {}
    for name in REAL:
        real = paper[name]
        share = (best.value - floor) / (real.value - floor)
        shares[name] = Share(best, real.value - best.value, share, real.is_cut_off)
    return shares


def published_updates() -> int:
    """Updates of the paper's runs, which keep an epoch's last, smaller batch."""
    usual = defaults("paper")
    kept = dataclasses.replace(usual.optimisation(), last_batch="kept")
    return usual.epochs * kept.steps_per_epoch(usual.n_images)
