"""Rules over encoders all of whose layers were trained on, on few labelled real images."""

from dataclasses import dataclass

from ...core import stats
from .. import units
from .base import Evidence, Known, Rule, missing, of_units, rule, title


@rule("fine_tuned")
@dataclass(frozen=True)
class FineTuned(Rule):
    """After as many ``epochs`` of fine-tuning, an encoder of ``row`` is right at least as often as
    one of ``other``, up to :data:`stats.MARGIN`; ``control``: it has to be right more often, or the
    rest means nothing."""

    row: str
    other: str
    epochs: int
    control: bool = False

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the difference of their top-1, unpaired over encoders."""
        rows, part = (self.row, self.other), f"{self.epochs} epochs"
        words = f"{title(self.row)} − {title(self.other)}, fine-tuned for {self.epochs} epochs"
        measured = {
            row: records
            for row, records in known.of("fine_tuning").items()
            if all(part in record.results for record in records)
        }
        if not all(measured.get(row) for row in rows):
            return missing(words, rows, self.control)
        bound = 0.0 if self.control else -stats.MARGIN
        apart = units.part(measured, part).apart(*rows)
        return [of_units(words, apart, rows, bound, self.control)]
