"""Rules over arms of an encoder: what is kept of its weights."""

from dataclasses import dataclass

from .. import units
from .base import Evidence, Known, Rule, missing, of_units, rule, title


@rule("kept")
@dataclass(frozen=True)
class Kept(Rule):
    """Of what training on a row's images gains over a random start, by a linear probe with so many
    images of each class, each of some arms keeps less than a share ``most``.
    """

    row: str
    arms: tuple[str, ...]
    per_class: int
    most: float

    def evidence(self, known: Known) -> list[Evidence]:
        """That there is a gain, and of each arm how far it stays below the share, in points."""
        rows = (self.row,)
        every = units.arms(known.of("initialisation").get(self.row, ()), self.per_class)
        if not {"random", "trained", *self.arms} <= every.values.keys():
            return missing("arms of an encoder", rows)
        words = f"{title(self.row)} − its random start"
        gain = of_units(words, every.apart("trained", "random"), rows, control=True)
        below = {"trained": self.most, "random": 1 - self.most}
        return [
            gain,
            *(
                of_units(
                    f"{100 * self.most:.0f} % of that gain − what “{arm}” keeps",
                    every.contrast({**below, arm: -1.0}),
                    rows,
                )
                for arm in self.arms
            ),
        ]
