"""Guess which of two sets teaches more: pairs of sets, with the answers from the records.

Their sheets of six images are the explorer's files; book/_static/guess.js asks and counts.
"""

import itertools
import random
import re
from dataclasses import dataclass
from html import escape

from ...core import stats
from ...study import Profile, Runs, get_row
from ..captions import Records
from ..embed import as_script
from ..html import Html, nothing, typeset
from ..sentences import compare
from .explorer import SHEETS, sets
from .gallery import NOTHING
from .stored import protocol

PAIRS = 15
ORDER = 24  # seed of the shuffle, so that the page stays the same; chosen here
OFTEN = 3  # pairs that a set is in, at most
ALIKE = 1 / 3  # of the pairs, at most, cannot be told apart
QUESTION = (
    "Two sets of images. An encoder learned from each, by the same settings. Which one knows real "
    "images better?"
)
CAPTION = (
    "Top-1 accuracy on CIFAR-10, by a linear classifier on the frozen encoder; all pairs are of "
    "sets with the same training. Intervals: 95 %, over runs and test images."
)


@dataclass(frozen=True)
class Pair:
    """Two rows, and the difference of their accuracies, left − right."""

    left: str
    right: str
    difference: stats.Estimate

    @property
    def winner(self) -> str | None:
        """The row that teaches more; None where they cannot be told apart."""
        if self.difference.p > stats.LEVEL:
            return None
        return self.left if self.difference.mean > 0 else self.right


def alike(rows: Records, profile: Profile) -> Records:
    """The sets that differ in their images alone, with two runs or more."""
    usual = protocol(rows["real"], profile)
    every = sets(rows, profile)
    return {n: r for n, r in every.items() if len(r) > 1 and protocol(r, profile) == usual}


def pairs(rows: Records, profile: Profile, count: int = PAIRS) -> list[Pair]:
    """Pairs of the sets in an order that is shuffled once for all: no set too often, and most of
    them such that there is an answer.
    """
    every = alike(rows, profile)
    dice = random.Random(ORDER)
    couples = list(itertools.combinations(sorted(every), 2))
    dice.shuffle(couples)
    chosen: list[Pair] = []
    for couple in couples:
        left, right = dice.sample(couple, 2)
        used = [name for pair in chosen for name in (pair.left, pair.right)]
        if max(used.count(left), used.count(right)) >= OFTEN:
            continue
        pair = Pair(left, right, every[left].difference(every[right]))
        unknown = sum(each.winner is None for each in chosen)
        if pair.winner is None and unknown + 1 > ALIKE * count:
            continue
        chosen.append(pair)
        if len(chosen) == count:
            break
    return chosen


def guess(rows: Records, profile: Profile) -> Html:
    """Two sheets of six images each, a button for each, the answer, and the next pair. Without a
    script: the first pair, its answer folded.
    """
    if "real" not in rows or not (every := pairs(rows, profile)):
        return nothing(NOTHING)
    sheets = f"../{SHEETS.removeprefix('book/')}"
    first = every[0]
    sides = "".join(
        f'<div><img src="{sheets}/{name}.webp" alt="Six images of the {side} set" width="192" '
        f'height="128" class="dark-light"><button type="button" hidden>the {side} one</button>'
        f"<p></p></div>"
        for side, name in (("left", first.left), ("right", first.right))
    )
    answer = escape(sentence(first, rows))
    folded = f"<details><summary>Answer</summary><p>{answer}</p></details>"
    more = '<button type="button" class="next" hidden>next pair</button>'
    below = (
        f'<p class="answer" role="status"></p>{folded}<p class="on">{more} <output></output></p>'
    )
    data = as_script({"sheets": sheets, "pairs": [_data(pair, rows) for pair in every]})
    inside = f'<p class="question">{escape(QUESTION)}</p><div class="two">{sides}</div>{below}'
    note = f"<figcaption>{escape(CAPTION)}</figcaption>"
    alt = f"{QUESTION} {len(every)} pairs."
    return Html(f'<figure class="synthlearn guess">{inside}{note}{data}</figure>', alt)


def sentence(pair: Pair, rows: Records) -> str:
    """A pair's answer as a sentence, without markup."""
    one, other = (rows[name] for name in (pair.left, pair.right))
    clause = compare(*((one, other) if pair.winner != pair.right else (other, one)))
    text = re.sub(r"<[^>]+>", "", clause)
    return f"{text[:1].upper()}{text[1:]}."


def _data(pair: Pair, rows: Records) -> dict[str, object]:
    """What the script needs of a pair."""
    names = (pair.left, pair.right)
    return {
        "sets": names,
        "titles": [get_row(name).title for name in names],
        "accuracies": [_top1(rows[name]) for name in names],
        "winner": None if pair.winner is None else names.index(pair.winner),
        "answer": typeset(sentence(pair, rows)),
    }


def _top1(runs: Runs) -> str:
    return f"{100 * runs.accuracy().mean:.1f} %"
