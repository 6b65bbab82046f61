"""The claims of each paper with their evidence, and the index's figure of the main ones."""

import math
from collections.abc import Mapping
from html import escape

from ...core import stats
from ...study import claims
from ...study.claims import Claim
from ..html import Html, figure, points
from ..verdicts import claim_list, decisive, mark

# the claims that carry the papers' stories and this book's, chosen before most of their records
MAIN = (
    *("noise_beats_random", "real_is_best", "structure_matters", "stylegan_order", "textures"),
    *("several_samples", "synthetic_beats_real", "captions_beat_classes", "text_helps"),
    *("sigma_factor", "pixel_mixing", "private_noise"),
)
CAPTION = (
    "For each claim the comparison that decides, in points of top-1, with the 95 % interval: "
    "right of the line as the claim says. A claim with several comparisons holds only if all of "
    "them do; then the one that decides is named. Claims are tested together (Holm's procedure), "
    "so that one may be undecided although its interval excludes 0. "
    "Claims without a record have no line."
)
STEP = 5  # points between ticks


def of_paper(paper: str) -> Html:
    """The claims of one paper (a key of ``study.claims.PAPERS``) with all evidence."""
    return claim_list([claim for claim in claims.verdicts() if claim.paper == paper])


def main_claims() -> Html:
    """The main claims by paper, each as the interval of the comparison that decides it."""
    every = {claim.id: claim for claim in claims.verdicts()}
    chosen = [every[name] for name in MAIN]
    deciding = {
        claim.id: one.estimate
        for claim in chosen
        if (one := decisive(claim)) is not None and one.estimate
    }
    low = min([0.0, *(100 * e.low for e in deciding.values())])
    high = max([0.0, *(100 * e.high for e in deciding.values())])
    axis = _Track(STEP * math.floor(low / STEP), STEP * math.ceil(high / STEP))
    groups = "".join(
        f"<p class='paper-name'>{escape(title)}</p>"
        + "".join(_line(c, deciding.get(c.id), axis) for c in chosen if c.paper == paper)
        for paper, title in claims.PAPERS.items()
        if any(claim.paper == paper for claim in chosen)
    )
    words = "; ".join(_words(claim, deciding) for claim in chosen)
    return figure(f'<div class="claims">{groups}{axis.ticks()}</div>', words, CAPTION)


def _words(claim: Claim, deciding: Mapping[str, stats.Estimate]) -> str:
    e = deciding.get(claim.id)
    value = (
        f", {100 * e.mean:+z.1f} points [{100 * e.low:+z.1f}, {100 * e.high:+z.1f}]" if e else ""
    )
    return f"{claim.text}: {claim.verdict}{value}"


class _Track:
    """An axis in points, in HTML, which the lines of a figure share."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, max(high, low + STEP)

    def at(self, value: float) -> str:
        """Where a value in points lies, as per cent of the width."""
        return f"{100 * (value - self.low) / (self.high - self.low):.1f}%"

    def bar(self, e: stats.Estimate) -> str:
        """An interval with its middle."""
        width = 100 * 100 * (e.high - e.low) / (self.high - self.low)
        line = f"<i class='span' style='left:{self.at(100 * e.low)};width:{width:.1f}%'></i>"
        return f"{line}<i class='middle' style='left:{self.at(100 * e.mean)}'></i>"

    def zero(self) -> str:
        """The line of no difference."""
        return f"<i class='zero' style='left:{self.at(0)}'></i>"

    def ticks(self) -> str:
        """Numbers along the axis, and its unit."""
        each = "".join(
            f"<span style='left:{self.at(value)}'>{f'{value:+d}' if value else 0}</span>"
            for value in range(self.low, self.high + 1, STEP)
        )
        return f"<div class='claim'><span>points</span><div class='track ticks'>{each}</div></div>"


def _line(claim: Claim, e: stats.Estimate | None, axis: _Track) -> str:
    inside = f"{axis.bar(e)}" if e else ""
    number = f": <small>{points(e)} points{_which(claim)}</small>" if e else ""
    text = f"<span>{mark(claim)} {escape(claim.text)}{number}</span>"
    return f"<div class='claim'>{text}<div class='track'>{axis.zero()}{inside}</div></div>"


def _which(claim: Claim) -> str:
    """The comparison that decides, by name, where a claim has several."""
    one = decisive(claim)
    if one is None or sum(not e.control for e in claim.pieces) == 1:
        return ""
    return escape(f" ({one.text.rsplit(': ', 1)[0]})")
