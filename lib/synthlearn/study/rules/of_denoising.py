"""Rules over denoisers: how well what a set taught restores natural images, in decibels."""

from dataclasses import dataclass

from ...measure.denoising import NATURAL
from .. import units
from .base import Evidence, Known, Rule, missing, rule, title


@rule("denoises")
@dataclass(frozen=True)
class Denoises(Rule):
    """A denoiser trained on ``row`` restores natural images at most ``within`` dB worse than one
    trained on ``other``; 0: better."""

    row: str
    other: str
    within: float = 0.0

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the difference of their PSNR."""
        measured, rows = known.of("denoising"), (self.row, self.other)
        if not {*rows} <= measured.keys():
            return missing("a denoiser", rows)
        e = units.part(measured, NATURAL, "psnr").apart(*rows)
        words = f"{title(self.row)} − {title(self.other)}"
        text = f"{words}: {e.mean:+z.2f} dB [{e.low:+z.2f}, {e.high:+z.2f}]"
        bound, tested = -self.within, "encoders" in e.over
        pro, con = e.above(bound), e.below(bound)
        one_run = (e.error**2 - e.fixed) * e.runs
        away = e.mean - bound
        return [Evidence(text, pro, con, rows, tested, False, e.runs, away, one_run, e.fixed)]
