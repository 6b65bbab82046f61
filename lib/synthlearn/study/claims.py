"""Claims of the papers as rules over records, and what our records say of them."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import files, stats
from ..errors import DataError
from . import records

PRIMARY = "fc6_linear"
LEAST_SEEDS = 2  # one seed says nothing of how far seeds lie apart
VERDICTS = ("supported", "contradicted", "undecided", "not tested")


@dataclass(frozen=True)
class Comparison:
    """One "a > b": the paired difference of top-1, a − b, over common seeds and the same test images; None where a row has no record."""

    a: str
    b: str
    difference: stats.Estimate | None
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A claim with its comparisons and its verdict: supported if all are, contradicted if one is, else undecided or not tested."""

    id: str
    text: str
    source: str
    comparisons: tuple[Comparison, ...]
    verdict: str


def metric(record: dict[str, Any]) -> dict[str, Any]:
    """The record's main measurement: fc6 of the small encoder, pooled features of others, the features themselves for baselines without one."""
    results = record["results"]
    return results.get(PRIMARY) or results.get("pooled_linear") or results["linear"]


def outcomes(found: Sequence[dict[str, Any]], name: str | None = None) -> np.ndarray:
    """Which test images were right by a measurement (None: the main one): bool (seeds, images). Raises DataError when the records' test sets differ."""
    sets = {r["spec"]["data"]["test_sha256"] for r in found}
    if len(sets) != 1:
        raise DataError(f"records of {found[0]['row']}: their test sets differ, they cannot be averaged; run the row again")
    measured = [r["results"][name] if name else metric(r) for r in found]
    return np.stack([records.unpack(m["correct"], m["n"]) for m in measured])


def by_row(found: Sequence[dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """Records as row → seed → record."""
    table: dict[str, dict[int, dict[str, Any]]] = {}
    for r in found:
        table.setdefault(r["row"], {})[r["spec"]["seed"]] = r
    return table


def difference(a: dict[int, dict[str, Any]], b: dict[int, dict[str, Any]], name: str | None = None) -> stats.Estimate:
    """Paired difference a − b over the seeds that both have (seed → record), by the main measurement or another by name."""
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        raise DataError("rows without a common seed cannot be compared; run both for the same seeds")
    x, y = outcomes([a[s] for s in seeds], name), outcomes([b[s] for s in seeds], name)
    return stats.bootstrap(x.astype(float) - y.astype(float))


def read(path: str = "book/claims.toml") -> list[dict[str, Any]]:
    """The claims as written: id, text, source, chapters, compare (each "a > b")."""
    return tomllib.loads((files.root() / path).read_text(encoding="utf-8"))["claims"]


def evaluate(claims: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> list[Claim]:
    """Verdicts over records of one profile. All comparisons of the call are one family: Holm at 5 % decides which are more than chance.
    A comparison over a single seed stays undecided."""
    table = by_row(found)
    pairs = [(claim["id"], *(side.strip() for side in rule.split(">"))) for claim in claims for rule in claim["compare"]]
    differences = [difference(table[a], table[b]) if a in table and b in table else None for _, a, b in pairs]
    p = {i: d.p for i, d in enumerate(differences) if d is not None}
    clear = dict(zip(p, stats.holm(list(p.values())), strict=True))
    comparisons: dict[str, list[Comparison]] = {claim["id"]: [] for claim in claims}
    for i, (claim, a, b) in enumerate(pairs):
        d = differences[i]
        decided = d is not None and clear[i] and d.seeds >= LEAST_SEEDS
        verdict = "not tested" if d is None else "undecided" if not decided else "supported" if d.mean > 0 else "contradicted"
        comparisons[claim].append(Comparison(a, b, d, verdict))
    return [Claim(c["id"], c["text"], c["source"], tuple(comparisons[c["id"]]), _overall([x.verdict for x in comparisons[c["id"]]])) for c in claims]


def _overall(verdicts: Sequence[str]) -> str:
    for word in ("contradicted", "not tested", "undecided"):
        if word in verdicts:
            return word
    return "supported"
