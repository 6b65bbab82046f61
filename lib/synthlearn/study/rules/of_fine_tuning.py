"""Rules over encoders all of whose layers were trained on, on few labelled real images."""

from dataclasses import dataclass

from ...core import stats
from .. import units
from .base import Evidence, Known, Rule, missing, of_units, rule, title


@rule("fine_tuned")
@dataclass(frozen=True)
class FineTuned(Rule):
    """After as many ``epochs`` of fine-tuning, an encoder of ``row`` is right at least as often as
    one of ``other``, up to :data:`stats.MARGIN`."""

    row: str
    other: str
    epochs: int

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the difference of their top-1, unpaired over encoders."""
        measured, rows = known.of("fine_tuning"), (self.row, self.other)
        words = f"{title(self.row)} − {title(self.other)}, fine-tuned for {self.epochs} epochs"
        part = f"{self.epochs} epochs"
        if not all(measured.get(row) and part in measured[row][0].results for row in rows):
            return missing(words, rows)
        return [of_units(words, units.part(measured, part).apart(*rows), rows, -stats.MARGIN)]
