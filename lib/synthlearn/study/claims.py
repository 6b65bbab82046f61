"""Claims of the papers, as rules over committed records, and the one verdict that each has in the
whole book."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..core import checked, files, stats
from ..core.errors import DataError, ParameterError
from . import entries, measuring, runs, store
from .profiles import NAMES
from .records import MAIN
from .rows import all_rows, get_row
from .rules.base import RULES, Evidence, Known, Rule, build
from .rules.of_runs import PROBES, Compare

FILE = "book/claims.toml"
VERDICTS = ("supported", "contradicted", "undecided", "not tested")
PAPERS = {
    "noise": "Learning to See by Looking at Noise",
    "stablerep": "StableRep and StableRep+",
    "later": "Later papers",
    "book": "This book's own questions",
}
# of a claim in the file, besides its rules
NEEDED = {"id": str, "text": str, "source": str, "paper": str, "chapters": list}
WORDS = {**NEEDED, "under": list, "control": list, "changed": str, "untested": str}
SETS = ("best_of", "sets")  # arguments of rules that may name sets of rows
Sets = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class WrittenClaim:
    """A claim as the file has it, comparisons expanded.

    source: where the paper makes it. chapters: that tell it. changed: what was changed in the rule
    after its results were seen, and when. untested: why it has no rule.
    """

    id: str
    text: str
    source: str
    paper: str
    chapters: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    changed: str = ""
    untested: str = ""

    def evidence(self, known: Known) -> list[Evidence]:
        """All evidence for it."""
        every: list[Evidence] = []
        for rule in self.rules:
            with checked.blamed(f"claim {self.id!r}", "rule", type(rule).__module__):
                every += rule.evidence(known)
        return every


@dataclass(frozen=True)
class Claim(WrittenClaim):
    """A claim with its evidence and its verdict.

    Supported if all evidence is (intersection–union: p is the largest), contradicted if any is (p
    is the smallest times their number), by Holm's procedure over the claims of its paper; not
    tested if a control fails, or something is not recorded and the rest does not contradict it.
    needed: of an undecided one, the runs of each row that would settle it, if all is as it looks;
    None: more than a thousand, or runs do not settle it. profile: whose records decide.
    """

    pieces: tuple[Evidence, ...] = ()
    verdict: str = "not tested"
    p: float = 1.0
    profile: str = ""
    needed: int | None = None

    @property
    def runs(self) -> int:
        """Of the row, or measured encoders of it, that has fewest; 0: nothing is recorded."""
        counted = (e.runs for e in self.pieces if e.tested and e.runs and not e.control)
        return min(counted, default=0)


def read(path: str = FILE) -> list[WrittenClaim]:
    """The claims as written, comparisons expanded: see the head of the file.

    Raises: ParameterError for a paper, rule or set that does not exist, and for a claim with
    neither a rule nor the reason why it has none."""
    try:
        table = tomllib.loads((files.root() / path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not TOML ({error}); mend it, or restore it from git") from error
    sets = table.get("sets", {})
    every = [_checked(claim, sets) for claim in table["claims"]]
    for name, times in Counter(claim.id for claim in every).items():
        if times > 1:
            raise ParameterError(f"{FILE}: {times} claims have the id {name!r}; rename one")
    for claim in every:
        for row in (row for piece in claim.evidence(Known()) for row in piece.rows):
            if row not in all_rows():
                raise ParameterError(f"{FILE}: claim {claim.id!r} names {row!r}, which is no row")
    return every


def _checked(claim: dict[str, Any], sets: Sets) -> WrittenClaim:
    title = f"{FILE}: claim {claim.get('id', claim.get('text', '?'))!r}"
    own = {name: value for name, value in claim.items() if name in WORDS}
    entries.check(title, own, NEEDED, {name: WORDS[name] for name in WORDS.keys() - NEEDED})
    under = tuple(claim.get("under", (MAIN,)))
    rules: list[Rule] = []
    for name, arguments in claim.items():
        if name == "control":
            rules.append(Compare(expanded(arguments, sets), control=True))
        elif name == "compare":
            rules.append(Compare(expanded(arguments, sets), under))
        elif name in RULES:
            tables = isinstance(arguments, list) and all(isinstance(a, dict) for a in arguments)
            each = arguments if tables else [arguments]
            try:
                rules += [build(name, _with_sets(one, sets)) for one in each]
            except ParameterError as error:
                raise ParameterError(f"{title}: {error}") from error
        elif name not in WORDS:
            raise ParameterError(f"{title} has {name!r}; rules are {', '.join(RULES)}")
    for name, values, known in (("paper", (claim["paper"],), PAPERS), ("under", under, PROBES)):
        if bad := [value for value in values if value not in known]:
            raise ParameterError(f"{title}: {name} = {bad[0]!r}: must be of {', '.join(known)}")
    if bool(rules) == bool(claim.get("untested")):
        raise ParameterError(f"{title} needs either rules or `untested`, why it has none")
    return WrittenClaim(
        claim["id"],
        claim["text"],
        claim["source"],
        claim["paper"],
        tuple(claim["chapters"]),
        tuple(rules),
        claim.get("changed", ""),
        claim.get("untested", ""),
    )


def _with_sets(arguments: Any, sets: Sets) -> Any:
    """A rule's arguments, the rows of a set in place of its name."""
    if not isinstance(arguments, dict):
        return arguments
    return {
        key: [row for name in value for row in members(name, sets)] if key in SETS else value
        for key, value in arguments.items()
    }


def expanded(pairs: Sequence[str], sets: Sets) -> tuple[str, ...]:
    """Comparisons with every "@name" replaced by each row of that set; a row is not compared with
    itself.

    Raises: ParameterError for a set that does not exist or a rule without a sign.
    """
    each = []
    for text in pairs:
        sign = ">=" if ">=" in text else ">"
        if text.count(">") != 1:
            raise ParameterError(f"{FILE}: {text!r} is not 'a > b' or 'a >= b'")
        left, right = (members(side.strip(), sets) for side in text.split(sign))
        each += [f"{a} {sign} {b}" for a in left for b in right if a != b]
    return tuple(each)


def members(name: str, sets: Sets) -> list[str]:
    """The rows of "@name", or the row itself."""
    if not name.startswith("@"):
        return [get_row(name).name]
    if name[1:] not in sets:
        known = ", ".join("@" + s for s in sets)
        raise ParameterError(f"{FILE}: no set {name!r}; there are {known}")
    return list(sets[name[1:]])


def judge(
    claims: Sequence[WrittenClaim], evidence: Sequence[tuple[str, Sequence[Evidence]]]
) -> list[Claim]:
    """Verdicts from each claim's profile and evidence; one correction over each paper's claims."""
    weights = [_weigh(list(each)) for _, each in evidence]
    judged: dict[str, Claim] = {}
    for paper in PAPERS:
        own = [i for i, claim in enumerate(claims) if claim.paper == paper]
        asked = [i for i in own if weights[i].tested]
        p = [min(weights[i].pro, weights[i].con) for i in asked]
        clear = dict(zip(asked, stats.holm(p), strict=True))
        bar = stats.LEVEL / max(1, len(asked) - sum(clear.values()))
        for i in own:
            profile, pieces = evidence[i]
            weight, verdict = weights[i], _verdict(weights[i], clear.get(i, False))
            needed = _needed(pieces, bar) if verdict == "undecided" else None
            p_value = min(weight.pro, weight.con)
            judged[claims[i].id] = Claim(
                **vars(claims[i]),
                pieces=tuple(pieces),
                verdict=verdict,
                p=p_value,
                profile=profile,
                needed=needed,
            )
    return [judged[claim.id] for claim in claims]


@dataclass(frozen=True)
class _Weight:
    """p of all evidence being for a claim, p of any being against it, whether it can be asked at
    all, and whether nothing is missing.
    """

    pro: float
    con: float
    tested: bool
    whole: bool


def _weigh(evidence: Sequence[Evidence]) -> _Weight:
    own = [e for e in evidence if not e.control]
    tested = [e for e in own if e.tested]
    valid = all(e.verdict == "supported" for e in evidence if e.control)
    whole = all(e.tested for e in evidence)
    if not tested or not valid:
        return _Weight(1.0, 1.0, False, whole)
    pro = max(e.pro for e in own) if len(tested) == len(own) else 1.0
    return _Weight(pro, min(1.0, len(tested) * min(e.con for e in tested)), True, whole)


def _verdict(weight: _Weight, clear: bool) -> str:
    """``clear``: whether Holm's procedure rejects that it is chance."""
    if clear and (weight.con < weight.pro or weight.whole):
        return "supported" if weight.pro <= weight.con else "contradicted"
    return "undecided" if weight.tested and weight.whole else "not tested"


def _needed(evidence: Sequence[Evidence], bar: float) -> int | None:
    """Runs of each row that settle a claim: all that is not yet clear for it, or else the clearest
    that is against it."""
    own = [e for e in evidence if not e.control and e.tested]
    against = [e for e in own if e.away < 0]
    if not against:
        each = [e.needs(bar) for e in own if e.pro > bar]
        return max((n for n in each if n), default=None) if all(each) else None
    return min((n for e in against if (n := e.needs(bar / len(own)))), default=None)


def known(profile: str) -> Known:
    """All committed runs and measurements of a profile."""
    return Known(runs.committed(profile), measuring.committed(profile))


def profiles() -> list[str]:
    """The study's profiles that have committed runs, the most telling first: a larger one decides
    wherever it has all that a rule needs."""
    records = files.root() / "results" / "records"
    return [name for name in reversed(NAMES) if (records / name).is_dir()]


def verdicts() -> list[Claim]:
    """Every claim's verdict: the one that the index, the claims' page and the chapters show."""
    return _verdicts(store.stamp(), (files.root() / FILE).stat().st_mtime_ns)


@cache
def _verdicts(stamp: store.Stamp, written: int) -> list[Claim]:
    claims, every = read(), {name: known(name) for name in profiles()}
    chosen = []
    for claim in claims:
        each = {name: claim.evidence(k) for name, k in every.items()}
        whole = [name for name in each if each[name] and all(e.tested for e in each[name])]
        most = max(each, key=lambda name: sum(e.tested for e in each[name]), default="")
        name = whole[0] if whole else most
        chosen.append((name, each.get(name, [])))
    return judge(claims, chosen)


def deciding() -> str:
    """The profile that pages without one of their own show: the most telling with an untrained
    encoder, real images and five sets of noise."""
    return _deciding(store.stamp())


@cache
def _deciding(stamp: store.Stamp) -> str:
    for name in profiles():
        rows = runs.committed(name)
        if {"random", "real"} <= rows.keys() and len(rows) >= 7:
            return name
    return "cpu"
