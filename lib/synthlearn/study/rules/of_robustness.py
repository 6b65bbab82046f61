"""Rules over classifiers into whose training images of a set were mixed."""

from dataclasses import dataclass

from .. import units
from .base import Evidence, Known, Rule, missing, of_units, rule, title

PLAIN = "random"  # the row without images, of which nothing is mixed in
NOTHING = "no mixing"


def mixing(name: str) -> str:
    """A row's title as that of a mixing set.

    >>> mixing("random"), mixing("noise-white")
    ('no mixing', 'white noise')
    """
    return NOTHING if name == PLAIN else title(name)


@rule("bears")
@dataclass(frozen=True)
class Bears(Rule):
    """With images of ``row`` mixed into its training a classifier is right about more corrupted
    images than with those of ``other``; of the row that has no images, nothing is mixed in."""

    row: str
    other: str

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the difference of their mean top-1 over kinds of corruption."""
        measured, rows = known.of("robustness"), (self.row, self.other)
        if not {*rows} <= measured.keys():
            return missing("a classifier", rows)
        words = " − ".join(map(mixing, rows))
        return [of_units(words, units.corrupted_apart(measured, *rows), rows)]
