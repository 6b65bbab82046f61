"""Claims of the papers, as rules over committed records, and the one verdict that each has in the whole book."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..core import files, stats
from ..core.errors import ParameterError
from . import inference, records
from .inference import MAIN
from .measurements import plans
from .profiles import NAMES
from .rules import MEASURES, RULES, Evidence, Known, expanded, members

VERDICTS = ("supported", "contradicted", "undecided", "not tested")
PAPERS = {
    "noise": "Learning to See by Looking at Noise",
    "stablerep": "StableRep and StableRep+",
    "later": "Later papers",
    "book": "This book's own questions",
}
WORDS = (
    "id",
    "text",
    "source",
    "paper",
    "chapters",
    "under",
    "control",
    "changed",
    "untested",
)  # of a claim, besides its rules


@dataclass(frozen=True)
class Claim:
    """A claim with its evidence and its verdict.

    Supported if all evidence is (intersection–union: p is the largest), contradicted if any is (p is the smallest times their number), by Holm's
    procedure over the claims of its paper; not tested if a control fails, or something is not recorded and the rest does not contradict it.
    needed: of an undecided one, the runs of each row that would settle it, if all is as it looks; None: more than a thousand, or runs do not settle it.
    profile: whose records decide. changed: what was changed in the rule after its results were seen, and when. untested: why it has no rule.
    """

    id: str
    text: str
    source: str
    paper: str
    chapters: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    verdict: str
    p: float
    profile: str
    needed: int | None = None
    changed: str = ""
    untested: str = ""

    @property
    def runs(self) -> int:
        """Of the row, or measured encoders of it, that has fewest; 0: nothing is recorded."""
        return min(
            (e.runs for e in self.evidence if e.tested and e.runs and not e.control), default=0
        )


def read(path: str = "book/claims.toml") -> list[dict[str, Any]]:
    """The claims as written, comparisons expanded: see the head of the file.

    Raises: ParameterError for a paper, rule or set that does not exist, and for a claim with neither a rule nor the reason why it has none.
    """
    table = tomllib.loads((files.root() / path).read_text(encoding="utf-8"))
    sets = table.get("sets", {})
    return [_checked(claim, sets) for claim in table["claims"]]


def _checked(claim: dict[str, Any], sets: dict[str, list[str]]) -> dict[str, Any]:
    rules: list[tuple[str, Any]] = []
    for name, asked in claim.items():
        if name == "control":
            rules.append(
                ("compare", {"pairs": expanded(asked, sets), "under": (MAIN,), "control": True})
            )
        elif name == "compare":
            rules.append(
                (
                    "compare",
                    {
                        "pairs": expanded(asked, sets),
                        "under": tuple(claim.get("under", (MAIN,))),
                        "control": False,
                    },
                )
            )
        elif name in RULES:
            tables = isinstance(asked, list) and all(isinstance(each, dict) for each in asked)
            rules += [(name, _named(each, sets)) for each in (asked if tables else [asked])]
        elif name not in WORDS:
            raise ParameterError(
                f"book/claims.toml: claim {claim['id']!r} has {name!r}; rules are {', '.join(RULES)}"
            )
    if (
        claim["paper"] not in PAPERS
        or bool(rules) == bool(claim.get("untested"))
        or set(claim.get("under", ())) - MEASURES.keys()
    ):
        raise ParameterError(f"book/claims.toml: claim {claim['id']!r} needs a paper of {', '.join(PAPERS)}, either rules or `untested`, "
                             f"and `under` of {', '.join(MEASURES)}")  # fmt: skip
    return {**{name: claim[name] for name in claim if name in WORDS}, "rules": rules}


def _named(asked: Any, sets: dict[str, list[str]]) -> Any:
    """A rule's arguments, the rows of a set in place of its name."""
    if not isinstance(asked, dict):
        return asked
    return {
        key: [m for name in value for m in members(name, sets)]
        if key in ("best_of", "sets")
        else value
        for key, value in asked.items()
    }


def evidence(claim: dict[str, Any], known: Known) -> list[Evidence]:
    """All evidence for a claim as :func:`read` gives it."""
    return [e for name, asked in claim["rules"] for e in RULES[name](known, asked)]


def judge(
    claims: Sequence[dict[str, Any]], found: Sequence[tuple[str, Sequence[Evidence]]]
) -> list[Claim]:
    """Verdicts from each claim's profile and evidence; one correction over each paper's claims."""
    weighed = [_weigh(list(each)) for _, each in found]
    judged: dict[str, Claim] = {}
    for paper in PAPERS:
        mine = [i for i, claim in enumerate(claims) if claim["paper"] == paper]
        asked = [i for i in mine if weighed[i][2]]
        clear = dict(zip(asked, stats.holm([min(weighed[i][:2]) for i in asked]), strict=True))
        bar = stats.LEVEL / max(1, len(asked) - sum(clear.values()))
        for i in mine:
            pro, con, tested = weighed[i]
            whole = not any(not e.tested for e in found[i][1])
            verdict = "not tested" if not tested else "undecided" if whole else "not tested"
            if clear.get(i) and (con < pro or whole):
                verdict = "supported" if pro <= con else "contradicted"
            c = claims[i]
            needed = _needed(found[i][1], bar) if verdict == "undecided" else None
            judged[c["id"]] = Claim(c["id"], c["text"], c["source"], paper, tuple(c["chapters"]), tuple(found[i][1]), verdict, min(pro, con), found[i][0],
                                    needed, c.get("changed", ""), c.get("untested", ""))  # fmt: skip
    return [judged[claim["id"]] for claim in claims]


def _weigh(found: Sequence[Evidence]) -> tuple[float, float, bool]:
    """(p of all of it being for the claim, p of any of it being against, whether it can be asked at all)."""
    own = [e for e in found if not e.control]
    tested = [e for e in own if e.tested]
    valid = all(e.verdict == "supported" for e in found if e.control)
    if not tested or not valid:
        return 1.0, 1.0, False
    pro = max(e.pro for e in own) if len(tested) == len(own) else 1.0
    return pro, min(1.0, len(tested) * min(e.con for e in tested)), True


def _needed(found: Sequence[Evidence], bar: float) -> int | None:
    """Runs of each row that settle a claim: all that is not yet clear for it, or else the clearest that is against it."""
    own = [e for e in found if not e.control and e.tested]
    against = [e for e in own if e.away < 0]
    if not against:
        each = [e.needs(bar) for e in own if e.pro > bar]
        return max((n for n in each if n), default=None) if all(each) else None
    return min((n for e in against if (n := e.needs(bar / len(own)))), default=None)


def known(profile: str) -> Known:
    """All committed runs and measurements of a profile."""
    measured: dict[str, dict[str, list[dict[str, Any]]]] = {what: {} for what in plans()}
    for what, rows in measured.items():
        for r in records.read_all(profile, what):
            rows.setdefault(r["row"], []).append(r)
    return Known(inference.committed(profile), measured)


def profiles() -> list[str]:
    """The study's profiles that have committed runs, the most telling first: a larger one decides wherever it has all that a rule needs."""
    return [
        name for name in reversed(NAMES) if (files.root() / "results" / "records" / name).is_dir()
    ]


def verdicts() -> list[Claim]:
    """Every claim's verdict: the one that the index, the claims' page and the chapters show."""
    return _verdicts(records.stamp(), (files.root() / "book" / "claims.toml").stat().st_mtime_ns)


@cache
def _verdicts(stamp: Any, written: int) -> list[Claim]:
    claims, every = read(), {name: known(name) for name in profiles()}
    found = []
    for claim in claims:
        each = {name: evidence(claim, k) for name, k in every.items()}
        whole = [name for name in each if each[name] and all(e.tested for e in each[name])]
        least = max(each, key=lambda name: sum(e.tested for e in each[name]), default="")
        name = whole[0] if whole else least
        found.append((name, each.get(name, [])))
    return judge(claims, found)


def deciding() -> str:
    """The profile that pages without one of their own show: the most telling with an untrained encoder, real images and five sets of noise."""
    for name in profiles():
        runs = inference.committed(name)
        if {"random", "real"} <= runs.keys() and len(runs) >= 7:
            return name
    return "cpu"
