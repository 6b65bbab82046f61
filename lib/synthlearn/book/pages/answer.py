"""The study's answer, which the index opens with."""

import re
from html import escape

from ...core import stats
from ...study import Profile, claims, get_row, units
from ...study import runs as study_runs
from ..captions import Records, record_link
from ..html import Html, interval, percent, points, table
from ..published import published_shares, published_updates
from .leaderboard import accuracies, compared
from .lengths import shares
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
    "<b>How good?</b> An untrained network {floor}, the best of {sets} sets of noise {best} % "
    "({titles}; chosen on one half of the runs, taken on the other), real images {real}: top-1 on "
    "CIFAR-10 by a linear classifier, after {updates:,} updates of a small network."
)
HOW_FAR = (
    "<b>How far is that?</b> {share:.0f} % <small>[{low:.0f}, {high:.0f}]</small> of the way to "
    "real images. The paper's noise went {theirs}, after {their_updates:,} updates. After "
    "{updates:,} our real images have hardly begun to teach: this is a share of a short way."
    "{longer}"
)
LONGER = " Trained longer, {title} go {shares} (<a href='24_length.html'>how long to train</a>)."
WHICH = (
    "<b>Which images?</b> {alike} of {sets} sets of noise cannot be told from the best of them, by "
    "single tests at 5 %: {titles}. The order agrees with the paper's by ρ = {rho:.2f} "
    "<small>[{low:.2f}, {high:.2f}]</small> over {common} synthetic sets."
)
WHAT_FOR = (
    "<b>What for?</b> On other tasks, real images − the best noise, in points of gain over chance: "
    "{gaps}; over encoders and images."
)
SEVERAL = (
    "Several samples of a caption as positives teach {several} points more than two views of a "
    "sample, by a text-to-image model that learned from the real images at hand{colour}. "
)
CAPTIONS = (
    "<b>What do captions add?</b> {several}On real images the labels that these captions name, "
    "used directly (SupCon), teach {labels} points more than two views. A model that has seen "
    "billions of images is not tested."
)
HOW_SURE = (
    "<b>How sure?</b> Of {claims} claims: {verdicts}. "
    "<a href='91_claims.html'>Each with its evidence</a>."
)


def answer(rows: Records, profile: Profile) -> Html:
    """The study's answer in a few short lines, from the records: how good, how far, which images,
    what for, what captions add, how sure.
    """
    noise = {
        name: runs
        for name, runs in one_protocol(rows, profile).items()
        if get_row(name).kind == "generator"
    }
    if not noise or not rows.keys() >= NEEDED:
        return table(["state"], [["no committed records yet"]], NOTHING)
    every = [
        _how_good(rows, noise, profile),
        _how_far(rows, noise, profile),
        _which(noise),
        _what_for(profile),
        _captions(rows),
        _how_sure(),
    ]
    lines = [line for line in every if line]
    items = "".join(f"<li>{line}</li>" for line in lines)
    return Html(f"<ol class='answer'>{items}</ol>", re.sub(r"<[^>]+>", "", " ".join(lines)))


def _how_good(rows: Records, noise: Records, profile: Profile) -> str:
    halves, chosen = study_runs.best(noise)
    best = stats.contrast([half.part(weight, chosen=True) for weight, half in halves])

    def linked(name: str) -> str:
        return record_link(f"{percent(rows[name].accuracy().mean)} %", name, profile)

    return HOW_GOOD.format(
        floor=linked("random"),
        sets=len(noise),
        best=interval(best),
        titles=" or ".join(escape(get_row(name).title) for name in chosen),
        real=linked("real"),
        updates=rows["real"].first.updates,
    )


def _how_far(rows: Records, noise: Records, profile: Profile) -> str:
    ours, low, high = study_runs.share(noise, rows["random"], rows["real"])
    theirs = ", ".join(
        f"{100 * share.share:.0f} % of the way to {name}{' at most' * share.is_bound}"
        for name, share in published_shares().items()
    )
    return HOW_FAR.format(
        share=100 * ours,
        low=100 * low,
        high=100 * high,
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
    text = ", ".join(f"{share} after {updates:,} updates" for updates, share in (first, *more))
    return LONGER.format(title=escape(get_row(LEAVES).title), shares=text)


def _which(noise: Records) -> str:
    best, *others = ranked(noise)
    alike = [name for name in others if noise[best].difference(noise[name]).p > stats.LEVEL]
    common = compared(noise)
    rho, low, high = stats.correlation(*accuracies(noise, common))
    return WHICH.format(
        alike=len(alike) + 1,
        sets=len(noise),
        titles="; ".join(escape(get_row(name).title) for name in (best, *alike)),
        rho=rho,
        low=low,
        high=high,
        common=len(common),
    )


def _what_for(profile: Profile) -> str:
    gaps = units.closest(claims.known(profile.name).of("transfer"))
    text = ", ".join(f"{group} {points(gap)}" for group, (gap, _) in gaps.items())
    return WHAT_FOR.format(gaps=text) if gaps else ""


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


def _how_sure() -> str:
    words = [claim.verdict for claim in claims.verdicts()]
    total = ", ".join(f"{words.count(word)} {word}" for word in claims.VERDICTS if word in words)
    return HOW_SURE.format(claims=len(words), verdicts=total)
