"""Claims of the papers as rules over records, and what our records say of them."""

import itertools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import files, stats, tasks
from ..errors import DataError
from . import records
from .rows import row

PRIMARY = "fc6_linear"
RIVALS, HEAD_COST = ("as it is", "repeated", "varied"), 0.01  # of rare classes filled up: what must be beaten, and what the head may lose
LEAST_SEEDS = 2  # one seed says nothing of how far seeds lie apart
VERDICTS = ("supported", "contradicted", "undecided", "not tested")


@dataclass(frozen=True)
class Comparison:
    """One "a > b": the paired difference of top-1, a − b, over common seeds and the same test images; None where a row has no record."""

    a: str
    b: str
    difference: stats.Estimate | None
    verdict: str
    control: bool = False


@dataclass(frozen=True)
class Finding:
    """Evidence of another kind than a difference of two rows: a sentence with numbers, and the verdict that it gives."""

    text: str
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A claim with its evidence and its verdict: supported if all evidence is, contradicted if one is, else undecided or not tested."""

    id: str
    text: str
    source: str
    comparisons: tuple[Comparison, ...]
    verdict: str
    findings: tuple[Finding, ...] = ()


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
    """The claims as written: id, text, source, chapters, and rules: ``compare`` (each "a > b"), ``control`` (comparisons without which the others mean
    nothing: unless they are supported, the claim is not tested), ``correlate`` (properties of sets whose rank correlation with accuracy should be
    positive), ``closest_group`` (of transfer tasks, where the best noise is nearest to real images), ``rare_classes`` (the way to fill them up that
    should help the tail), ``along_guidance`` (rows by rising guidance, whose samples should say their class more often and vary less), ``memory_gap``
    and ``private`` (see the functions of these names)."""
    return tomllib.loads((files.root() / path).read_text(encoding="utf-8"))["claims"]


def evaluate(claims: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]], measured: dict[str, list[dict[str, Any]]] | None = None) -> list[Claim]:
    """Verdicts over records of one profile. All comparisons of the call are one family: Holm at 5 % decides which are more than chance.
    A comparison over a single seed stays undecided. ``measured``: the further measurements' records by kind, for rules over those."""
    table = by_row(found)
    rules = [(claim["id"], kind, rule) for claim in claims for kind in ("compare", "control") for rule in claim.get(kind, ())]
    pairs = [(claim, kind, *(side.strip() for side in rule.split(">"))) for claim, kind, rule in rules]
    differences = [difference(table[a], table[b]) if a in table and b in table else None for _, _, a, b in pairs]
    p = {i: d.p for i, d in enumerate(differences) if d is not None}
    clear = dict(zip(p, stats.holm(list(p.values())), strict=True))
    comparisons: dict[str, list[Comparison]] = {claim["id"]: [] for claim in claims}
    for i, (claim, kind, a, b) in enumerate(pairs):
        d = differences[i]
        decided = d is not None and clear[i] and d.seeds >= LEAST_SEEDS
        verdict = "not tested" if d is None else "undecided" if not decided else "supported" if d.mean > 0 else "contradicted"
        comparisons[claim].append(Comparison(a, b, d, verdict, kind == "control"))
    judged = []
    for c in claims:
        findings = tuple(correlated(k, table, (measured or {}).get("properties", [])) for k in c.get("correlate", ()))
        if "closest_group" in c:
            findings += (closest_group(c["closest_group"], (measured or {}).get("transfer", [])),)
        if "rare_classes" in c:
            findings += (rare_classes(c["rare_classes"], (measured or {}).get("long_tail", [])),)
        if "along_guidance" in c:
            findings += (along_guidance(c["along_guidance"], (measured or {}).get("guidance", [])),)
        if "memory_gap" in c:
            findings += (memory_gap(**c["memory_gap"], measured=(measured or {}).get("memory", [])),)
        if "private" in c:
            findings += (private_gain(**c["private"], measured=(measured or {}).get("private", [])),)
        verdicts = [x.verdict for x in comparisons[c["id"]] if not x.control] + [x.verdict for x in findings]
        valid = all(x.verdict == "supported" for x in comparisons[c["id"]] if x.control)
        verdict = _overall(verdicts) if valid else "not tested"
        judged.append(Claim(c["id"], c["text"], c["source"], tuple(comparisons[c["id"]]), verdict, findings))
    return judged


def correlated(name: str, table: dict[str, dict[int, dict[str, Any]]], measured: Sequence[dict[str, Any]]) -> Finding:
    """Whether a property of synthetic sets goes with accuracy: Spearman's correlation over sets, its bootstrap interval decides."""
    sets = {m["row"]: m["results"][name]["value"] for m in measured if m["row"] in table and "." not in m["row"] and m["spec"]["source"].get("generator")}
    if len(sets) < 4:
        return Finding(f"{name}: {len(sets)} sets with records", "not tested")
    order = sorted(sets)  # the bootstrap's draws follow the order of the sets
    accuracy = np.array([outcomes(list(table[name].values())).mean() for name in order])
    rho, low, high = stats.correlation(np.array([sets[name] for name in order]), accuracy)
    verdict = "supported" if low > 0 else "contradicted" if high < 0 else "undecided"
    return Finding(f"{name.replace('_', ' ')}: ρ = {rho:+.2f} [{low:+.2f}, {high:+.2f}] over {len(sets)} sets", verdict)


def closest_group(group: str, measured: Sequence[dict[str, Any]]) -> Finding:
    """Whether the gap between real images and the best synthetic set is smaller in one group of transfer tasks than in each other.

    Errors over test images are taken as independent, and the best set is chosen on the same images, which favours it. One seed stays undecided."""
    gaps = group_gaps(measured)
    if not gaps:
        return Finding("no transfer measurements", "not tested")
    apart = [((gap - gaps[group][0]) / np.hypot(error, gaps[group][1])) for g, (gap, error) in gaps.items() if g != group]
    seeds = len({m["spec"]["seed"] for m in measured})
    verdict = "undecided" if seeds < LEAST_SEEDS else "supported" if min(apart) > stats.Z else "contradicted" if min(apart) < -stats.Z else "undecided"
    told = ", ".join(f"{g} {100 * gap:+.1f} ± {100 * stats.Z * error:.1f}" for g, (gap, error) in gaps.items())
    return Finding(f"real − best synthetic set, points of gain over chance: {told}; seeds: {seeds}", verdict)


def group_gaps(measured: Sequence[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Real images − best synthetic set by group of transfer tasks, in shares of the gain over chance, and its standard error; empty without both."""
    each: dict[str, list[dict[str, tuple[float, float]]]] = {}
    for m in measured:
        each.setdefault(m["row"], []).append(group_means(m["results"]))
    found = {name: over_seeds(mine) for name, mine in each.items()}
    noise = [name for name in found if row(name).kind == "generator"]
    gaps: dict[str, tuple[float, float]] = {}
    for g in found["real"] if "real" in found and noise else ():
        best = max(noise, key=lambda name: found[name][g][0])
        (a, ea), (b, eb) = found["real"][g], found[best][g]
        gaps[g] = (a - b, float(np.hypot(ea, eb)))
    return gaps


def rare_classes(arm: str, measured: Sequence[dict[str, Any]]) -> Finding:
    """Whether a way to fill up rare classes gains on the tail over every other way that has no more images, and costs the head at most a point.

    Paired over seeds by Student's interval; the bar is the best of the others by their means."""
    if len(measured) < LEAST_SEEDS:
        return Finding(f"seeds with a measurement of rare classes: {len(measured)}", "undecided" if measured else "not tested")
    others = [name for name in RIVALS if name in measured[0]["results"]]
    tail = {name: np.array([m["results"][name]["tail"] for m in measured]) for name in (arm, *others)}
    rival = max(others, key=lambda name: float(tail[name].mean()))
    gain, low, high = stats.paired_t(tail[arm] - tail[rival])
    lost = float(np.mean([m["results"]["as it is"]["head"] - m["results"][arm]["head"] for m in measured]))
    verdict = "contradicted" if high < 0 or lost > HEAD_COST else "supported" if low > 0 else "undecided"
    told = f"tail: {arm} − {rival} {100 * gain:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points over {len(measured)} seeds"
    return Finding(f"{told}; the head loses {100 * lost:.1f} points against the images as they are ({100 * HEAD_COST:.0f} allowed)", verdict)


def along_guidance(names: Sequence[str], measured: Sequence[dict[str, Any]]) -> Finding:
    """Whether samples keep to their captions more and vary less with every step of guidance; shares differ by more than chance (two standard errors)."""
    found = {m["row"]: m["results"] for m in measured}
    if not all(name in found for name in names):
        return Finding("no measurement along guidance", "not tested")
    agreement, variety = ([found[name][key]["value"] for name in names] for key in ("agreement", "variety"))
    n = found[names[0]]["agreement"]["n"]
    errors = [stats.Z * (a * (1 - a) / n + b * (1 - b) / n) ** 0.5 for a, b in itertools.pairwise(agreement)]
    steps = [b - a for a, b in itertools.pairwise(agreement)]
    rises = all(step > error for step, error in zip(steps, errors, strict=True))
    falls = any(step < -error for step, error in zip(steps, errors, strict=True))
    narrows = all(b < a for a, b in itertools.pairwise(variety))
    verdict = "contradicted" if falls else "supported" if rises and narrows else "undecided"
    said = ", ".join(f"{100 * a:.0f} %" for a in agreement)
    return Finding(f"samples that say their class, by rising w: {said}; variety within a caption: {', '.join(f'{v:.2f}' for v in variety)}", verdict)


def memory_gap(noise: str, real: str, most: float, measured: Sequence[dict[str, Any]]) -> Finding:
    """Whether neighbours in a memory of all images, seen by an encoder of noise, are at most so far behind those seen by one of real images.

    Errors over test images are taken as independent; one seed of the encoders stays undecided."""
    whole: dict[str, list[tuple[float, int]]] = {noise: [], real: []}
    for m in measured:
        if m["row"] in whole:
            part = m["results"][max((k for k in m["results"] if k.isdigit()), key=int)]
            whole[m["row"]].append((part["top1"], part["n"]))
    seeds = min(map(len, whole.values()))
    if not seeds:
        return Finding("no memory measured", "not tested")
    (a, ea), (b, eb) = ((float(np.mean([x for x, _ in mine])), sum(x * (1 - x) / n for x, n in mine) ** 0.5 / len(mine)) for mine in whole.values())
    gap, error = b - a, stats.Z * float(np.hypot(ea, eb))
    verdict = "undecided" if seeds < LEAST_SEEDS else "supported" if gap + error < most else "contradicted" if gap - error > most else "undecided"
    return Finding(f"top-1 of neighbours, {real} − {noise}: {100 * gap:+.1f} ± {100 * error:.1f} points; seeds: {seeds}", verdict)


def private_gain(noise: str, floor: str, measured: Sequence[dict[str, Any]]) -> Finding:
    """Whether private classifiers on features of noise beat those on an untrained network's at every ε: Student's interval over paired draws of the noise.

    Draws say nothing of how far encoders lie apart: one seed of these stays undecided."""
    seeds, apart = private_differences(noise, floor, measured)
    if not seeds:
        return Finding("no private classifier measured", "not tested")
    told = ", ".join(f"ε = {epsilon}: {100 * gain:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]" for epsilon, (gain, low, high) in apart.items())
    up, down = all(low > 0 for _, low, _ in apart.values()), any(high < 0 for _, _, high in apart.values())
    verdict = "undecided" if seeds < LEAST_SEEDS else "supported" if up else "contradicted" if down else "undecided"
    return Finding(f"{noise} − {floor}: {told}; seeds: {seeds}", verdict)


def private_differences(noise: str, floor: str, measured: Sequence[dict[str, Any]]) -> tuple[int, dict[str, tuple[float, float, float]]]:
    """Private classifiers on features of one row against another's: how many encoders of each there are, and by rising ε the mean difference with
    Student's interval, paired by encoder and draw of the noise."""
    found = {name: [m["results"] for m in measured if m["row"] == name] for name in (noise, floor)}
    seeds = min(map(len, found.values()))
    apart = {}
    for epsilon in sorted(found[noise][0], key=float) if seeds else ():
        a, b = (np.concatenate([parts[epsilon]["each"] for parts in found[name][:seeds]]) for name in (noise, floor))
        apart[epsilon] = stats.paired_t(a - b)
    return seeds, apart


def over_seeds(means: Sequence[dict[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Mean and standard error of each group over several seeds' means and errors."""
    return {g: (float(np.mean([m[g][0] for m in means])), float(np.hypot.reduce([m[g][1] for m in means])) / len(means)) for g in means[0]}


def group_means(parts: dict[str, dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Mean gain over chance of each group's tasks, and its standard error over test images, tasks fixed."""
    found = {}
    for group in tasks.GROUPS:
        mine = [part for part in parts.values() if part["group"] == group]
        if not mine:
            continue
        variance = sum(p["top1"] * (1 - p["top1"]) / p["n"] / (1 - p["chance"]) ** 2 for p in mine)
        found[group] = (float(np.mean([p["gain"] for p in mine])), variance**0.5 / len(mine))
    return found


def _overall(verdicts: Sequence[str]) -> str:
    for word in ("contradicted", "not tested", "undecided"):
        if word in verdicts:
            return word
    return "supported"
