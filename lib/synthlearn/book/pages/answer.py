"""The study's answer, which the index opens with."""

import re
from collections.abc import Mapping
from html import escape

from ...core import stats
from ...study import Profile, claims, get_row, units
from ...study import runs as study_runs
from ..captions import Records, record_link
from ..html import Html, nothing, percent, points, span, spelled
from ..published import published_shares, published_updates
from .leaderboard import accuracies, compared
from .lengths import one_run, shares
from .stored import one_protocol, ranked

NEEDED = {
    "random",
    "real",
    "real.supcon",
    "real.simclr_sharp",
}
LEAVES = "dead_leaves-mixed"  # the set whose longer training the answer tells
NOTHING = "The study's records are not there: make study PROFILE=cpu."
HOW_GOOD = (
    "<b>Does it work?</b> {verdict} A linear classifier on an untrained network names {floor} of "
    "the images of CIFAR-10 rightly. With one trained on the best set of noise (chosen on one half "
    "of the runs, measured on the other) it names {best}, with one trained on real images {real}."
)
VERDICTS = {
    "yes": "Yes, in a small network trained briefly.",
    "no": "No, not in a small network trained briefly.",
    "open": "With these runs we cannot tell.",
}
HOW_FAR = (
    "<b>How far does it get?</b> {share:.0f} % {span} of the way from untrained to real images, "
    "after {updates:,} updates. That way is short: so brief a training has hardly begun to use "
    "real images. The paper's noise went {theirs}, after {their_updates:,} updates.{longer}"
)
LONGER = (
    " Of <i>{title}</i> the share is {shares}, each beside real images trained as long "
    "(<a href='24_length.html'>how long to train</a>)."
)
WHICH = (
    "<b>Which images teach best?</b> Of {sets} sets the best is {best}{alike}. "
    "For {common} synthetic sets the paper has an order too; its rank correlation with ours is "
    "{rho:.2f} {span}, where 1 is the same order and 0 is none in common."
)
WHAT_FOR = (
    "<b>And for other tasks?</b> {apart}. Real images minus the best noise, in points of gain over "
    "chance (<a href='14_transfer.html'>transfer</a>): {gaps}."
)
# what a group of tasks is of; another is called by its own name
GROUPS = {
    "natural": "on natural photographs",
    "specialised": "on special ones (satellite images, blood cells)",
    "structured": "on structured tasks (number, place, angle)",
}
SEVERAL = (
    "Pulling several samples of a caption together teaches {several} points more than pulling two "
    "views of a sample together; the samples are of a text-to-image model that learned from our "
    "real images{colour}. "
)
CAPTIONS = (
    "<b>What do captions add?</b> {several}On real images the labels that these captions name, "
    "used directly, add {labels} points. A model that has seen billions of images is not tested."
)
PHRASES = {
    "supported": "are supported",
    "contradicted": "contradicted",
    "undecided": "undecided by the runs that we have",
    "not tested": "not tested (for want of a record, a control or a rule)",
}
HOW_SURE = "Of {claims} claims, {verdicts}."
EVIDENCE = " <a href='91_claims.html'>Each claim with its evidence</a>."


def answer(rows: Records, profile: Profile) -> Html:
    """The study's answer in a few short lines, from the records: how good, how far, which images,
    what for, what captions add.
    """
    noise = {
        name: runs
        for name, runs in one_protocol(rows, profile).items()
        if get_row(name).kind == "generator"
    }
    if not noise or not rows.keys() >= NEEDED:
        return nothing(NOTHING)
    every = [
        _how_good(rows, noise, profile),
        _how_far(rows, noise, profile),
        _which(noise),
        _what_for(profile),
        _captions(rows),
    ]
    lines = [line for line in every if line]
    items = "".join(f"<li>{line}</li>" for line in lines)
    return Html(f"<ol class='answer'>{items}</ol>", re.sub(r"<[^>]+>", "", " ".join(lines)))


def _how_good(rows: Records, noise: Records, profile: Profile) -> str:
    halves, _ = study_runs.best(noise)
    best = stats.contrast([half.part(weight, chosen=True) for weight, half in halves])

    floor = rows["random"]
    apart = stats.contrast(
        [*(half.part(weight, chosen=True) for weight, half in halves), floor.part(-1.0)]
    )
    word = "open" if apart.p > stats.LEVEL else "yes" if apart.mean > 0 else "no"

    def linked(name: str) -> str:
        return record_link(f"{percent(rows[name].accuracy().mean)} %", name, profile)

    return HOW_GOOD.format(
        verdict=VERDICTS[word],
        floor=linked("random"),
        best=f"{percent(best.mean)} % {span(percent(best.low), percent(best.high))}",
        real=linked("real"),
    )


def _how_far(rows: Records, noise: Records, profile: Profile) -> str:
    ours, low, high = study_runs.share(noise, rows["random"], rows["real"])
    theirs = ", ".join(
        f"{'at most ' * share.is_bound}{100 * share.share:.0f} % of the way to {name}"
        for name, share in published_shares().items()
    )
    return HOW_FAR.format(
        share=100 * ours,
        span=span(f"{100 * low:.0f}", f"{100 * high:.0f}"),
        theirs=theirs,
        their_updates=published_updates(),
        updates=rows["real"].first.updates,
        longer=_longer(rows, profile),
    )


def _longer(rows: Records, profile: Profile) -> str:
    """The share of the way after more updates; empty where no run is longer."""
    first, *more = shares(rows, profile, LEAVES).items()
    if not more:
        return ""
    text = ", ".join(
        f"{share} after {updates:,} updates{one_run(rows, profile, LEAVES, updates)}"
        for updates, share in (first, *more)
    )
    return LONGER.format(title=escape(get_row(LEAVES).title), shares=text)


def _which(noise: Records) -> str:
    best, *others = ranked(noise)
    alike = [name for name in others if noise[best].difference(noise[name]).p > stats.LEVEL]
    tops, common = (best, *alike), compared(noise)
    titles = [
        f"<i>{escape(get_row(name).title)}</i>{' (one run)' * (len(noise[name]) == 1)}"
        for name in tops
    ]
    rho, low, high = stats.correlation(*accuracies(noise, common))
    return WHICH.format(
        best=titles[0],
        alike=f"; these cannot be told from it: {'; '.join(titles[1:])}" if alike else "",
        sets=len(noise),
        rho=rho,
        span=span(f"{low:.2f}", f"{high:.2f}"),
        common=len(common),
    )


def _what_for(profile: Profile) -> str:
    gaps = units.closest(claims.known(profile.name).of("transfer"))
    text = ", ".join(f"{points(gap)} {GROUPS.get(g, g)}" for g, (gap, _) in gaps.items())
    who = apart({GROUPS.get(g, g): gap for g, (gap, _) in gaps.items()})
    return WHAT_FOR.format(gaps=text, apart=who) if gaps else ""


def apart(gaps: Mapping[str, stats.Estimate]) -> str:
    """On which groups of tasks real images are ahead of noise and on which behind, by Holm's
    procedure over them.
    """
    clear = stats.holm([gap.p for gap in gaps.values()])
    known = [each for each, is_clear in zip(gaps.items(), clear, strict=True) if is_clear]
    ahead, behind = ([g for g, gap in known if sign * gap.mean > 0] for sign in (1, -1))
    parts = [f"Real images are ahead of the best noise {', '.join(ahead)}"] if ahead else []
    parts += [f"The best noise is ahead of real images {', '.join(behind)}"] if behind else []
    some = f"any of {spelled(len(gaps))} groups of tasks" if not parts else "the others"
    by = ", by Holm's procedure over the groups" * (len(gaps) > 1)
    unclear = f"The best noise and real images cannot be told apart on {some}{by}"
    parts += [unclear] * (not all(clear))
    return ". ".join(parts)


def _captions(rows: Records) -> str:
    def more(a: str, b: str) -> str:
        return points(rows[a].difference(rows[b]))

    colour = several = ""
    if {"learned-colour.stablerep", "learned-colour"} <= rows.keys():
        teach = more("learned-colour.stablerep", "learned-colour")
        colour = f"; where captions tell the colour alone, {teach}"
    if {"learned.stablerep_w2", "learned.w2"} <= rows.keys():
        teach = more("learned.stablerep_w2", "learned.w2")
        several = SEVERAL.format(several=teach, colour=colour)
    return CAPTIONS.format(several=several, labels=more("real.supcon", "real.simclr_sharp"))


def how_sure(link: bool = True) -> Html:
    """How many claims have which verdict, as a sentence, with a link to them."""
    words = [claim.verdict for claim in claims.verdicts()]
    each = [f"{words.count(word)} {PHRASES[word]}" for word in claims.VERDICTS if word in words]
    text = HOW_SURE.format(claims=len(words), verdicts=", ".join(each)) + EVIDENCE * link
    return Html(f"<p>{text}</p>", re.sub(r"<[^>]+>", "", text))
