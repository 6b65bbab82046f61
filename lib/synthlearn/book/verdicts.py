"""The claims of the papers, a line each: its verdict, what it says, and its evidence, folded."""

from collections.abc import Sequence
from html import escape

from ..study import all_rows, claims, get_row
from ..study.claims import Claim
from ..study.rules import Evidence
from .html import Html, count, runs_in_words

ONE_EACH = "one encoder each says nothing of how far encoders lie apart"
DECIBELS = ", those of decibels over runs alone"
MARKS = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not tested": "–"}


def verdicts(chapter: str) -> Html:
    """The claims that a chapter tells, each with the one verdict that it has in the whole book; of
    the evidence the chapter's own part comes first.
    """
    return claim_list([claim for claim in claims.verdicts() if chapter in claim.chapters], chapter)


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
    small = [escape(claim.source), _reason(claim)]
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
    )


def _tally(words: Sequence[str]) -> str:
    """How many of some verdicts say what; of a single one, what it says."""
    if len(words) == 1:
        return words[0]
    return ", ".join(f"{words.count(word)} {word}" for word in claims.VERDICTS if word in words)


def mark(claim: Claim) -> str:
    """A verdict as a mark and a word."""
    kind = claim.verdict.replace(" ", "-")
    return f"<b class='{kind}'>{MARKS[claim.verdict]} {claim.verdict}</b>"


def _reason(claim: Claim) -> str:
    if claim.untested:
        return escape(claim.untested)
    if claim.verdict == "not tested":
        controls = [e for e in claim.pieces if e.control and e.tested]
        if any(e.verdict == "contradicted" for e in controls):
            return "its control fails"
        if any(e.verdict != "supported" for e in controls):
            return "its control is undecided"
        known = all(e.estimate for e in claim.pieces)
        some = any(e.tested for e in claim.pieces)
        return ONE_EACH if known else f"{'not all' if some else 'none'} of it is recorded"
    if claim.verdict != "undecided":
        return ""
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
    lines, others = ("<br>".join(map(_line, part)) for part in (own, rest))
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


def _line(e: Evidence) -> str:
    """One piece of evidence with its own mark."""
    return f"{MARKS[e.verdict]} {'<i>control:</i> ' * e.control}{escape(e.text)}"
