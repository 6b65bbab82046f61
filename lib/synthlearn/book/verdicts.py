"""The claims of the papers, a line each: its verdict, what it says, and its evidence, folded."""

from collections.abc import Sequence
from html import escape

from ..core import stats
from ..study import all_rows, claims, get_row
from ..study.claims import Claim
from ..study.rules import Evidence
from ..study.rules.base import NO_RECORD
from .html import Html, count, runs_in_words, spelled

ONE_EACH = "one encoder each says nothing of how far encoders lie apart"
DECIBELS = ", those of decibels over runs alone"
BY_CHANCE = (
    "of so many tested together some look so by chance, and Holm's procedure asks for a clearer "
    "result"
)
ALL_HOLD = f"{{each}} at 5 % when taken alone; but {BY_CHANCE}"
ONE_AGAINST = f"taken alone, this is against it: {{text}}; but {BY_CHANCE}"
MARGIN = (
    ' Where a claim says "at least as much", a comparison is marked ✓ if it is not behind by more '
    "than a point, even if its interval holds 0."
)
MARKS = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not tested": "–"}


def verdicts(chapter: str) -> Html:
    """The claims that a chapter tells, each with the one verdict that it has in the whole book; of
    the evidence the chapter's own part comes first.
    """
    return claim_list([claim for claim in claims.verdicts() if chapter in claim.chapters], chapter)


def verdict(name: str) -> str:
    """A claim's verdict with its words, as a sentence of a chapter's opening box.

    name: the claim's id in ``book/claims.toml``.

    Raises: KeyError for a claim that does not exist.

    >>> sl.book.verdict("gap_20")  # doctest: +SKIP
    """
    claim = {claim.id: claim for claim in claims.verdicts()}[name]
    return f"verdict on the claim, {mark(claim)}: “{escape(claim.text)}”"


def claim_list(judged: Sequence[Claim], chapter: str = "") -> Html:
    """Claims, a line each with its evidence folded below; of a chapter, what involves its own rows
    first.
    """
    lines = "".join(f"<li>{_line_of(claim, chapter)}</li>" for claim in judged)
    note = f"<p class='note'>{escape(_note(judged))}</p>"
    words = "; ".join(f"{claim.text}: {claim.verdict}" for claim in judged)
    return Html(f'<ul class="verdicts">{lines}</ul>{note}', f"{words}. {_note(judged)}")


def _line_of(claim: Claim, chapter: str) -> str:
    """A claim as one line: verdict and text; small below them its source and why there is no
    verdict; its evidence folded.
    """
    small = [escape(claim.source), *_reasons(claim)]
    small = [f"{words[:1].upper()}{words[1:]}." for words in small if words]
    text = f"{mark(claim)} {escape(claim.text)}<br><small>{' '.join(small)}</small>"
    changed = f"<i>Rule changed {escape(claim.changed)}.</i>" if claim.changed else ""
    if not claim.pieces:
        return f"{text} {changed}".rstrip()
    inside = "<br>".join(filter(None, (changed, _evidence(claim, chapter))))
    own = sum(_belongs(e, chapter) for e in claim.pieces) or len(claim.pieces)
    every = count(len(claim.pieces), "comparison")
    part = every if own == len(claim.pieces) else f"{own} of its {every} on this page"
    runs = f"; at least {runs_in_words(claim.runs)} of each set" * bool(claim.runs)
    rule = "; the rule was changed" * bool(claim.changed)
    return f"{text}{_folded(f'{part}{runs}{rule}', inside)}"


def _note(judged: Sequence[Claim]) -> str:
    decibels = any(" dB" in e.text for claim in judged for e in claim.pieces)
    profiles = dict.fromkeys(claim.profile for claim in judged if claim.profile)
    return (
        f"{count(len(judged), 'claim')}: {_tally([claim.verdict for claim in judged])}. "
        f"By committed records alone (profile {' and '.join(profiles) or 'none yet'}), "
        "whatever else this page ran; a claim has the same verdict on every page. "
        "Differences are in points of top-1 unless they have another unit; "
        f"intervals are over runs (or encoders) and test images{DECIBELS * decibels}. "
        "✓ and ✗ before a comparison are at 5 % for it alone; all of a claim must hold, "
        "by the stricter bar of Holm's procedure over its paper's claims."
        + MARGIN
        * any(_has_margin(e) for claim in judged for e in claim.pieces)
    )


def _has_margin(e: Evidence) -> bool:
    """Whether a difference may lie below zero without being against the claim."""
    return e.estimate is not None and e.away - e.estimate.mean > stats.MARGIN / 2


def _tally(words: Sequence[str]) -> str:
    """How many of some verdicts say what; of a single one, what it says."""
    if len(words) == 1:
        return words[0]
    return ", ".join(f"{words.count(word)} {word}" for word in claims.VERDICTS if word in words)


def mark(claim: Claim) -> str:
    """A verdict as a mark and a word."""
    kind = claim.verdict.replace(" ", "-")
    return f"<b class='{kind}'>{MARKS[claim.verdict]} {claim.verdict}</b>"


def decisive(claim: Claim) -> Evidence | None:
    """The comparison that decides a claim: of a contradicted one what contradicts it most, else
    what is furthest from it; None where none is recorded.
    """
    own = [e for e in claim.pieces if e.tested and not e.control]
    if claim.verdict == "contradicted":
        return min(own, key=lambda e: e.con)
    return max(own, key=lambda e: e.pro, default=None)


def _reasons(claim: Claim) -> list[str]:
    """Why a claim has its verdict, in clauses: which comparison decides where there are several,
    why it is open, what is missing.
    """
    if claim.untested:
        return [escape(claim.untested)]
    if claim.verdict == "not tested":
        return [_why_not_tested(claim)]
    one = decisive(claim)
    if claim.verdict == "supported" or one is None:
        return []
    several = sum(not e.control for e in claim.pieces) > 1
    if claim.verdict == "contradicted":
        return [f"what contradicts it most clearly: {escape(one.text)}"] * several
    return [*_why_open(claim), _runs_needed(claim)]


def _why_not_tested(claim: Claim) -> str:
    controls = [e for e in claim.pieces if e.control and e.tested]
    for verdict, word in (("contradicted", "fails"), ("undecided", "is undecided")):
        if bad := [e for e in controls if e.verdict == verdict]:
            return f"its control {word}: {escape(bad[0].text)}"
    known = all(e.estimate for e in claim.pieces)
    some = any(e.tested for e in claim.pieces)
    return ONE_EACH if known else f"{'not all' if some else 'none'} of it is recorded"


def _why_open(claim: Claim) -> list[str]:
    """What keeps a claim undecided: a comparison by name; or, where each is clear by itself, that
    many are tested together.
    """
    own = [e for e in claim.pieces if not e.control]
    open_ones = [e for e in own if e.verdict == "undecided"]
    if against := [e for e in own if e.verdict == "contradicted"]:
        return [ONE_AGAINST.format(text=escape(min(against, key=lambda e: e.con).text))]
    if not open_ones:
        each = "all its comparisons hold" if len(own) > 1 else "its comparison holds"
        return [ALL_HOLD.format(each=each)]
    if len(own) == 1:
        return []
    text = escape(max(open_ones, key=lambda e: e.pro).text)
    more = f", and {spelled(len(open_ones) - 1)} more" * (len(open_ones) > 1)
    return [f"what keeps it open: {text}{more}"]


def _runs_needed(claim: Claim) -> str:
    if not claim.needed:
        return "more runs alone would not settle it"
    against = any(e.away < 0 for e in claim.pieces if not e.control)
    way = "against the claim" if against else "in its favour"
    runs = f"{claim.needed:,} runs of each set"
    return f"if the differences stay as they are, {runs} would settle it {way}"


def _evidence(claim: Claim, chapter: str) -> str:
    """The evidence line by line; a chapter's own first, the rest folded, with how many of how many
    they are.
    """
    own = [e for e in claim.pieces if _belongs(e, chapter)] or list(claim.pieces)
    rest = [e for e in claim.pieces if e not in own]
    lines, others = ("<br>".join(_lines(part, claim.profile)) for part in (own, rest))
    if rest:
        return f"{lines}{_folded(f'the others: {_tally_of(rest)}', others)}"
    return lines


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def _belongs(piece: Evidence, chapter: str) -> bool:
    """Whether a piece of evidence involves a chapter's own rows; all do where there is none."""
    rows = [get_row(name) for name in piece.rows if name in all_rows()]
    return not chapter or not piece.rows or any(row.chapter == chapter for row in rows)


def _tally_of(pieces: Sequence[Evidence]) -> str:
    return _tally([e.verdict for e in pieces])


def _lines(pieces: Sequence[Evidence], profile: str) -> list[str]:
    """Evidence line by line; what waits for the same missing rows in one, which names them."""
    there = claims.known(profile).runs if profile else {}
    lacking = {
        i: [row for row in e.rows if row not in there]
        for i, e in enumerate(pieces)
        if not e.tested and e.text.endswith(NO_RECORD)
    }
    lacking = {i: rows for i, rows in lacking.items() if rows}
    if len(lacking) < 2:
        return [_line(e) for e in pieces]
    names = dict.fromkeys(row for rows in lacking.values() for row in rows)
    listed = escape("; ".join(get_row(name).title for name in names))
    sets = f"{spelled(len(names))} set{'s' * (len(names) > 1)}"
    line = f"{MARKS['not tested']} {len(lacking)} comparisons without a record, "
    line += f"for want of {sets}: {listed}"
    return [*(_line(e) for i, e in enumerate(pieces) if i not in lacking), line]


def _line(e: Evidence) -> str:
    """One piece of evidence with its own mark."""
    return f"{MARKS[e.verdict]} {'<i>control:</i> ' * e.control}{escape(e.text)}"
