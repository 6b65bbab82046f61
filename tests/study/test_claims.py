"""Claims: every rule can be supported, contradicted and undecided, chance is called a finding
rarely, and a claim has one verdict in the whole book."""

import dataclasses
import html
import itertools
import re

import numpy as np
import pytest
from make import measured as record
from make import part, result
from make import run as made

from synthlearn import book
from synthlearn.book.verdicts import MARGIN, claim_list
from synthlearn.core import files, stats
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.measure.robustness import MeanAccuracy
from synthlearn.study import claims, runs
from synthlearn.study.records import MAIN, Cost
from synthlearn.study.rules import base, of_runs
from synthlearn.study.rules.base import RULES, Evidence, Known, build
from synthlearn.study.rules.of_measurements import GuidanceHolds
from synthlearn.study.rules.of_runs import Compare
from synthlearn.study.runs import Runs

N = 2000  # test images of a made-up run
SPREAD = stats.Spread(1e-4, 60, 0.6)  # runs one point apart
CLAIMS = {claim.id: claim for claim in claims.read()}
# claims of ../spec by their names there, and of the later papers → ours
SPEC = {
    "noise_beats_random": "noise_beats_random",
    "real_is_best": "real_is_best",
    "gap_20": "gap_20",
    "places_not_reached": "places_not_reached",
    "structure_matters": "structure_matters",
    "combined_statistics": "combined_statistics",
    "each_statistic_alone": "each_statistic_alone",
    "dead_leaves_order": "dead_leaves_order",
    "textures": "textures",
    "stylegan_order": "stylegan_order",
    "oriented_is_best": "oriented_is_best",
    "untrained_generators": "untrained_generators",
    "default_init_is_poor": "default_init_is_poor",
    "feature_vis": "feature_vis",
    "fractals_are_beaten": "fractals_are_beaten",
    "fractals at large scale": "fractals_win_large",
    "simple_beats_simulators": "simple_beats_simulators",
    "mixtures": "mixtures",
    "random_network_useful": "random_network_useful",
    "large_scale_same_order": "large_scale_same_order",
    "not_realism": "not_realism",
    "diversity": "diversity",
    "structured_transfer": "structured_transfer",
    "visualised units": "layers_see_texture",
    "synth_simclr": "synthetic_simclr",
    "multi_positive": "several_samples",
    "beats_real_simclr": "synthetic_beats_real",
    "beats_real_clip": "beats_real_clip",
    "beats_labels": "captions_beat_classes",
    "guidance_matters": "guidance_matters",
    "guidance_middle": "guidance_middle",
    "w_depends_on_method": "w_depends_on_method",
    "fid_not_accuracy": "fid_not_accuracy",
    "more_per_caption": "more_per_caption",
    "batch_m": "more_in_a_batch",
    "text_helps": "text_helps",
    "caption_efficiency": "caption_efficiency",
    "clip_prefers_real": "clip_prefers_real",
    "zero-shot": "zero_shot",
    "longer_training": "longer_training",
    "downsample_transfer": "downsampling",
    "mismatch_falls_with_w": "guidance_fidelity",
    "long_tail A": "rare_classes",
    "long_tail B": "rare_classes_wide",
    "long_tail C": "rare_classes_samples",
    "generation_dominates": "generation_dominates",
    "plus beats CLIP": "plus_beats_clip",
    "transfer of StableRep": "other_transfer",
    "fractals_transfer, scratch_wins_large": "fractals_transfer",
    "more_categories": "more_categories",
    "sigma_factor": "sigma_factor",
    "colour_background, multi_instance": "colour_background",
    "programs_scale": "programs_scale",
    "ce_saturates": "ce_saturates",
    "SupCon over programs": "programs_as_classes",
    "mixup_helps": "pixel_mixing",
    "mixup_not_always": "mixing_not_always",
    "kml": "kml_and_convex",
    "fractals_below_stylegan": "fractals_below_stylegan",
    "one_is_enough": "one_is_enough",
    "one_instance": "one_instance",
    "structured_is_flat": "structured_is_flat",
    "visual memory": "perception_from_noise",
    "DP-RandP": "private_noise",
}


@pytest.fixture(autouse=True)
def world(monkeypatch):
    """Made-up runs have a known spread."""
    real = runs.spread

    def spread(run, probe=MAIN):
        return SPREAD if run.profile == "made" else real(run, probe)

    monkeypatch.setattr(runs, "spread", spread)
    monkeypatch.setattr(of_runs, "spread", spread)


def run(row, seed, right, cost=None, test="t"):
    """A run of which the first ``right`` test images are right, by every probe."""
    outcome = result(np.arange(N) < right)
    return of_outcome(row, seed, outcome, cost, test)


def of_outcome(row, seed, outcome, cost=None, test="t"):
    spec = {
        "kind": "generator",
        "data": {"test_sha256": test},
        "method": {"name": "align_uniform"},
    }
    probes = {"fc6_linear": outcome, "fc6_linear_bn": outcome}
    return made(row, seed, probes, spec, "made", cost)


def table(accuracies, number=3):
    """Runs of rows with these accuracies, a tenth of a point apart."""
    return {
        name: Runs(tuple(run(name, s, round(N * a) + 2 * (s - 1)) for s in range(number)))
        for name, a in accuracies.items()
    }


def measured(what, values, encoders=2, **more):
    """A further measurement: row → part → fields, of so many encoders, half a point apart."""

    def of_encoder(name, fields, s):
        apart = {
            k: v + 0.005 * s if k in ("top1", "gain", "tail", "head") else v
            for k, v in {"n": N, **more, **fields}.items()
        }
        return part(what, name, **apart)

    def of_row(row, parts, s):
        results = {name: of_encoder(name, fields, s) for name, fields in parts.items()}
        return record(what, row, s, results, "made")

    rows = {row: [of_row(row, parts, s) for s in range(encoders)] for row, parts in values.items()}
    return {what: rows}


def claim(*rules, name="x", paper="book"):
    """A claim of nothing else but rules."""
    return claims.WrittenClaim(name, "", "", paper, (), rules)


def judged(one, known):
    """What a table says of one claim alone."""
    return claims.judge([one], [("made", one.evidence(known))])[0]


def verdict(rule, arguments, known):
    """What one rule alone says of a table."""
    return judged(claim(build(rule, arguments)), known).verdict


def levels(pairs):
    """Accuracies by which every pair "a > b" holds by eight points and every "a >= b" by none."""
    strict = [tuple(s.strip() for s in pair.split(">")) for pair in pairs if ">=" not in pair]
    level = {name.strip(): 0 for pair in pairs for name in re.split(">=|>", pair)}
    for _ in level:
        for a, b in strict:
            level[a] = max(level[a], level[b] + 1)
    return {name: 0.2 + 0.08 * k for name, k in level.items()}


COMPARED = [
    claim
    for claim in CLAIMS.values()
    if claim.rules and all(isinstance(rule, Compare) for rule in claim.rules)
]


@pytest.mark.parametrize("claim", COMPARED, ids=[claim.id for claim in COMPARED])
def test_every_claim_of_comparisons_can_be_supported_contradicted_and_undecided(claim):
    controls = [pair for rule in claim.rules if rule.control for pair in rule.pairs]
    pairs = [pair for rule in claim.rules if not rule.control for pair in rule.pairs]
    good = levels(pairs + controls)
    asked = levels(pairs)
    bad = {name: 1 - accuracy for name, accuracy in asked.items()}
    if all(">=" in pair for pair in pairs):
        first = pairs[0].split()[0]
        bad = (
            {name: 0.3 + 0.1 * i for i, name in enumerate(asked)}
            if claim.id != "mixtures"
            else {n: 0.3 if n == first else 0.5 for n in asked}
        )
    equal = dict.fromkeys(asked, 0.4)
    for control in controls:  # holds in every world
        a, floor = (side.strip() for side in control.split(">"))
        for values in (bad, equal):
            values.setdefault(a, 0.95)
            values[floor] = min(0.2, min(values.values()))

    # to tell that two rows are alike takes more
    number = 40 if any(">=" in pair for pair in pairs) else 3

    def says(accuracies):
        return judged(claim, Known(table(accuracies, number))).verdict

    assert says(good) == "supported"
    assert says(bad) == "contradicted"
    assert says(equal) == ("supported" if all(">=" in pair for pair in pairs) else "undecided")
    assert judged(claim, Known()).verdict == "not tested"


ALIKE = [
    (claim, pair)
    for claim in COMPARED
    for rule in claim.rules
    for pair in rule.pairs
    if ">=" in pair
]


@pytest.mark.parametrize(("claim", "pair"), ALIKE, ids=[f"{c.id}: {p}" for c, p in ALIKE])
def test_who_is_said_to_teach_as_much_has_to_teach_more_than_no_training(claim, pair):
    controls = [pair for rule in claim.rules if rule.control for pair in rule.pairs]
    assert any(c.startswith(f"{pair.split()[0]} > random") for c in controls)
    untrained = dict.fromkeys(levels([pair, *controls]), 0.4)  # where nobody teaches anything
    for other in claim.rules:
        untrained |= dict.fromkeys((row for p in other.pairs for row in re.split(">=| > ", p)), 0.4)
    known = Known(table({name.strip(): a for name, a in untrained.items()}, 40))
    assert judged(claim, known).verdict == "not tested"


SETS = [f"set{i}" for i in range(15)]
RISING = {name: 0.3 + 0.01 * i for i, name in enumerate(SETS)}
ODD = [(-1) ** i * (i % 5) for i in range(15)]
GRID = [[1, "w1"], [2, "w2"], [4, "w4"]]
OTHER = [[1, "v1"], [2, "v2"], [4, "v4"]]


def properties(**values):
    return measured(
        "properties",
        {
            name: {k: {"value": float(v[i])} for k, v in values.items()}
            for i, name in enumerate(SETS)
        },
    )


def tasks(noise, real=(0.6, 0.6, 0.6)):
    groups = ("natural", "specialised", "structured")
    return measured(
        "transfer",
        {
            row: {
                g: {"group": g, "top1": a, "gain": a, "chance": 0.0}
                for g, a in zip(groups, each, strict=True)
            }
            for row, each in (("dead_leaves-mixed", noise), ("real", real))
        },
    )


def memories(noise):
    return measured(
        "memory",
        {
            row: {"10": {"top1": 0.1}, "1000": {"top1": a}}
            for row, a in (("random", 0.3), ("noise", noise), ("real", 0.5))
        },
    )


def budgets(low, high):
    return measured(
        "private",
        {
            "noise": {"1": {"top1": 0.4 + low}, "8": {"top1": 0.5 + high}},
            "random": {"1": {"top1": 0.4}, "8": {"top1": 0.5}},
        },
    )


def arms(tail, head):
    others = {
        "repeated": (0.2, 0.5),
        "varied": (0.25, 0.5),
        "balanced": (0.5, 0.4),
        "as it is": (0.1, 0.6),
        "mosaics": (tail, head),
    }
    return measured(
        "long_tail",
        {"row": {name: {"tail": t, "head": h} for name, (t, h) in others.items()}},
        encoders=3,
    )


def kept(shuffled, spectrum, trained=0.5):
    """Arms of a row's encoders whose random start is at 0.4."""
    top1 = {"random": 0.4, "trained": trained, "shuffled": shuffled, "spectrum": spectrum}
    parts = {
        f"{arm}, {size}": {"arm": arm, "per_class": size, "epochs": 0, "top1": a if size > 9 else 0}
        for arm, a in top1.items()
        for size in (9, 1000)
    }
    return measured("initialisation", {"row": parts}, encoders=3)


def denoisers(psnr, real=28.0):
    """Of a set and of real images, three runs each, a tenth of a decibel apart."""
    return {
        "denoising": {
            row: [
                record(
                    "denoising", row, s, {"natural": part("denoising", "natural", psnr=x + s / 10)}
                )
                for s in range(3)
            ]
            for row, x in (("row", psnr), ("real", real))
        }
    }


def robust(top1, images=400):
    """Classifiers with a row's images mixed in, and without, three each, a point apart, right about
    the same images as far as they can be."""
    return {
        "robustness": {
            row: [of_images(row, s, x + s / 100, images) for s in range(3)]
            for row, x in (("row", top1), ("random", 0.4))
        }
    }


def of_images(row, seed, share, images):
    """A classifier right under all kinds about this share of the images, and about no other."""
    right = round(share * images)
    top1, digits = right / images, "f" * right + "0" * (images - right)
    mean = MeanAccuracy(images, top1, top1, top1, digits)
    return record("robustness", row, seed, {"corrupted": mean})


def tuned(top1):
    """Encoders of two rows after fine-tuning, two each."""
    values = {row: {"20 epochs": {"top1": x}} for row, x in (("row", top1), ("other", 0.4))}
    return measured("fine_tuning", values, lr=0.1, train=1000)


def guided(agreement, variety=(3, 2, 1)):
    return measured(
        "guidance",
        {
            f"w{w}": {"agreement": {"value": a}, "variety": {"value": v}, "frechet": {"value": w}}
            for w, a, v in zip((1, 2, 4), agreement, variety, strict=True)
        },
        encoders=1,
    )


def seconds(ratio):
    every = (
        run(
            "row",
            s,
            900,
            Cost(0.0, pool_seconds=100.0 * ratio * (1 + 0.1 * s), train_seconds=100.0),
        )
        for s in range(4)
    )
    return {"row": Runs(tuple(every))}


SHARE = {"best_of": ["a", "b"], "floor": "random", "ceiling": "real", "most": 0.5}
MEMORY = {"noise": "noise", "floor": "random", "ceiling": "real", "least": 0.5}
WORLDS = {  # rule: arguments, then a table for it, one against it, and one of chance
    "share": (
        SHARE,
        *(
            Known(table({"random": 0.3, "real": 0.6, "a": x, "b": x - 0.02}))
            for x in (0.32, 0.6, 0.45)
        ),
    ),
    "nearest": (
        {"by": "frechet", "best_of": SETS},
        *(
            Known(
                table({n: 0.4 for n in SETS} | {"set0": a, "set1": b}),
                properties(frechet=range(15)),
            )
            for a, b in ((0.4, 0.5), (0.5, 0.4), (0.4, 0.4))
        ),
    ),
    "trend": (
        {"rows": [[1, "a"], [10, "b"], [100, "c"]]},
        *(
            Known(table(dict(zip("abc", x, strict=True))))
            for x in ((0.3, 0.35, 0.4), (0.4, 0.35, 0.3), (0.4, 0.38, 0.4))
        ),
    ),
    "correlate": (
        {"property": "recall", "held": "frechet", "sets": SETS},
        *(
            Known(table(RISING), properties(recall=x, frechet=ODD))
            for x in (range(15), range(0, -15, -1), ODD[::-1])
        ),
    ),
    "outweighs": (
        {"property": "log_volume", "sets": SETS},
        *(
            Known(table(RISING), properties(log_volume=x, frechet=y))
            for x, y in ((range(15), ODD), (ODD, range(15, 0, -1)), (ODD, ODD[::-1]))
        ),
    ),
    "range": (
        ["a", "b", "c"],
        *(
            Known(table(dict(zip("abc", x, strict=True)), runs))
            for x, runs in (((0.3, 0.4, 0.5), 3), ((0.4, 0.4, 0.4), 40), ((0.4, 0.405, 0.41), 3))
        ),
    ),
    "best_along": (
        {"lower": GRID, "upper": OTHER},
        *(
            Known(table(dict(zip(("w1", "w2", "w4", "v1", "v2", "v4"), x, strict=True))))
            for x in ((0.5, 0.4, 0.3, 0.3, 0.4, 0.5), (0.3, 0.4, 0.5, 0.5, 0.4, 0.3), (0.4,) * 6)
        ),
    ),
    "closest_group": (
        "structured",
        *(Known({}, tasks(x)) for x in ((0.3, 0.3, 0.59), (0.59, 0.59, 0.3), (0.5, 0.5, 0.5))),
    ),
    "memory": (
        MEMORY,
        *(Known({}, memories(x)) for x in (0.5, 0.3, 0.4)),
    ),  # an ideal encoder, an untrained one, half of the way
    "private": (
        {"noise": "noise", "floor": "random"},
        *(Known({}, budgets(*x)) for x in ((0.05, 0.05), (0.05, -0.05), (0.0, 0.0))),
    ),
    "long_tail": (
        {"arm": "mosaics", "row": "row"},
        *(Known({}, arms(*x)) for x in ((0.4, 0.4), (0.1, 0.5), (0.25, 0.4))),
    ),
    "kept": (
        {"row": "row", "arms": ["shuffled", "spectrum"], "per_class": 1000, "most": 0.5},
        *(Known({}, kept(*x)) for x in ((0.35, 0.4), (0.35, 0.5), (0.4, 0.45))),
    ),
    "denoises": (
        {"row": "row", "other": "real", "within": 0.3},
        *(Known({}, denoisers(x)) for x in (28.1, 27.2, 27.75)),
    ),
    "bears": (
        {"row": "row", "other": "random"},
        *(Known({}, robust(x)) for x in (0.5, 0.3, 0.41)),
    ),
    "fine_tuned": (
        {"row": "row", "other": "other", "epochs": 20},
        *(Known({}, tuned(x)) for x in (0.5, 0.3, 0.39)),
    ),
    "along_guidance": (
        ["w1", "w2", "w4"],
        *(Known({}, guided(x)) for x in ((0.5, 0.6, 0.7), (0.5, 0.4, 0.7), (0.5, 0.5, 0.51))),
    ),
    "generation": (["row"], *(Known(seconds(x)) for x in (3.0, 0.2, 0.87))),
}


@pytest.mark.parametrize("rule", WORLDS)
def test_every_rule_can_be_supported_contradicted_and_undecided(rule):
    asked, good, bad, chance = WORLDS[rule]
    verdicts = [verdict(rule, asked, known) for known in (good, bad, chance, Known())]
    assert verdicts == ["supported", "contradicted", "undecided", "not tested"]


def test_every_rule_is_tried_above():
    assert set(RULES) - {"compare", "guidance_holds"} == WORLDS.keys()


def test_the_best_of_a_grid_lies_above_the_place_of_the_least_property_or_not():
    asked = {"least": "frechet", "upper": GRID}
    for accuracies, expected in (
        ((0.3, 0.4, 0.5), "supported"),
        ((0.5, 0.4, 0.3), "contradicted"),
        ((0.4,) * 3, "undecided"),
    ):
        known = Known(
            table(dict(zip(("w1", "w2", "w4"), accuracies, strict=True))), guided((0.5, 0.5, 0.5))
        )
        # w = 1 is the grid's end: never below it
        assert verdict("best_along", asked, known) == expected.replace("contradicted", "undecided")


def test_rows_that_are_all_equal_lie_beyond_a_place_at_the_end_of_a_grid_rarely():
    ends = [[w, f"w{w}"] for w in (1, 2, 3, 4, 5, 6)]
    eye = measured("guidance", {f"w{w}": {"frechet": {"value": w}} for w, _ in ends}, encoders=1)
    asked, draw, found = {"least": "frechet", "upper": ends}, np.random.default_rng(0), 0
    for _ in range(60):
        known = Known(table({name: 0.4 + draw.normal(0, 0.006) for _, name in ends}), eye)
        found += verdict("best_along", asked, known) == "supported"
    assert found <= 8  # 5 % of 60, and chance


def test_numbers_seen_by_different_encoders_are_not_compared():
    accuracies = table({"w1": 0.5, "w2": 0.6, "w4": 0.4})
    for one, rules in (
        (guided((0.5, 0.6, 0.7)), (("along_guidance", ["w1", "w2", "w4"]),)),
        (guided((0.5, 0.6, 0.7)), (("best_along", {"least": "frechet", "upper": GRID}),)),
        (guided((0.5, 0.6, 0.7)), (("guidance_holds", ["w1", "w2"]),)),
    ):
        (first,) = one["guidance"]["w2"]
        spec = dataclasses.replace(first.spec, content={**first.spec.content, "reference": "x"})
        other = {"guidance": {**one["guidance"], "w2": [dataclasses.replace(first, spec=spec)]}}
        for name, arguments in rules:
            each = [
                build(name, arguments).evidence(Known(accuracies, seen)) for seen in (one, other)
            ]
            assert [all(e.tested for e in pieces) for pieces in each] == [True, False], name


def test_making_images_is_compared_with_training_where_each_row_made_its_own():
    both = {"a": seconds(3.0)["row"], "b": seconds(3.0)["row"]}
    found = Runs((run("b", 0, 900, Cost(0.0, pool_seconds=0.1, train_seconds=100.0)),))
    assert verdict("generation", ["a", "b"], Known(both)) == "supported"
    for known in (Known({"a": both["a"]}), Known({**both, "b": found})):
        assert verdict("generation", ["a", "b"], known) == "not tested"


def test_a_control_of_fine_tuning_has_to_be_right_more_often():
    asked = {"row": "row", "other": "other", "epochs": 20}
    bare, controlled = (build("fine_tuned", {**asked, "control": on}) for on in (False, True))
    (alike,), (control,) = (rule.evidence(Known({}, tuned(0.425))) for rule in (bare, controlled))
    assert (alike.verdict, control.verdict) == ("supported", "undecided")
    assert control.control
    assert not alike.control
    others = tuned(0.425)
    others["fine_tuning"]["third"] = [record("fine_tuning", "third", 0, {}, "made")]
    assert bare.evidence(Known({}, others))[0].verdict == "supported"


def test_guidance_that_breaks_the_samples_leaves_its_claims_untested():
    guided_claim = claim(GuidanceHolds(("w1", "w2")), Compare(("w1 > w4",)), paper="stablerep")
    accuracies = table({"w1": 0.5, "w2": 0.5, "w4": 0.3})
    for agreement, expected in (
        ((0.5, 0.6, 0.7), "supported"),
        ((0.5, 0.3, 0.2), "not tested"),
        ((0.5, 0.51, 0.5), "not tested"),
    ):
        known = Known(accuracies, guided(agreement))
        assert judged(guided_claim, known).verdict == expected


def test_a_mixture_is_as_good_as_its_parts_within_a_point_and_not_beyond():
    mixtures = CLAIMS["mixtures"]
    pairs = [pair for rule in mixtures.rules for pair in rule.pairs if not rule.control]
    parts = [pair.split(">=")[1].strip() for pair in pairs]
    for behind, expected in ((0.0, "supported"), (0.005, "undecided"), (0.05, "contradicted")):
        rows = {"random": 0.3, "mixture-four": 0.5 - behind, **dict.fromkeys(parts, 0.5)}
        known = Known(table(rows, 12))
        assert judged(mixtures, known).verdict == expected


def test_all_of_a_claim_must_hold_and_any_of_it_may_fail():
    def e(pro, con):
        return Evidence("", pro, con, runs=3)

    for pieces, expected in (
        ([e(1e-4, 1), e(0.04, 1)], "supported"),
        ([e(1e-4, 1), e(0.06, 1)], "undecided"),
        ([e(1e-4, 1), e(1, 0.024)], "contradicted"),
        ([e(1e-4, 1), e(1, 0.026)], "undecided"),
        ([e(1e-4, 1), Evidence("", tested=False)], "not tested"),
        ([e(1, 1e-4), Evidence("", tested=False)], "contradicted"),
    ):
        assert claims.judge([claim()], [("made", pieces)])[0].verdict == expected


def test_holm_goes_over_the_claims_of_a_paper_and_not_over_its_comparisons():
    many = [(claim(name=f"n{i}", paper="noise"), [Evidence("", 0.5, 1)] * 10) for i in range(9)]
    one = (claim(name="a", paper="noise"), [Evidence("", 0.004, 1)])
    other = (claim(name="b", paper="stablerep"), [Evidence("", 0.04, 1)])
    judged = {
        c.id: c.verdict
        for c in claims.judge(
            *zip(*[(c, ("made", e)) for c, e in (*many, one, other)], strict=True)
        )
    }
    assert (
        judged["a"] == "supported" and judged["b"] == "supported"
    )  # 0.004 < 0.05 / 10; alone in its paper 0.04 < 0.05
    nine = [(c, e) for c, e in many] + [(claim(name="a", paper="noise"), [Evidence("", 0.006, 1)])]
    assert {
        c.id: c.verdict
        for c in claims.judge(*zip(*[(c, ("made", e)) for c, e in nine], strict=True))
    }["a"] == "undecided"


def compares(claim):
    return [rule for rule in claim.rules if isinstance(rule, Compare)]


def test_chance_is_called_a_finding_in_at_most_one_study_of_twenty_per_paper():
    """Two thousand studies in which all rows teach the same, over the real list of claims, rows
    shared between comparisons as they are."""
    number, draws, rng = runs.committed("cpu"), 2000, np.random.default_rng(0)
    tested = [claim for claim in claims.read() if claim.rules]
    pairs = {pair for claim in tested for rule in compares(claim) for pair in rule.pairs}
    names = sorted({side.strip() for pair in pairs for side in re.split(">=|>", pair)})
    counts = {name: len(number.get(name, "123")) for name in names}
    df, sd, image_sd = 120, 0.0104, 0.003
    values = {
        name: rng.normal(0, sd / counts[name] ** 0.5, draws) + rng.normal(0, image_sd, draws)
        for name in names
    }
    pooled = sd * (rng.chisquare(df, draws) / df) ** 0.5
    wrong = {paper: np.zeros(draws, bool) for paper in claims.PAPERS}
    evidence = []
    for claim in tested:
        each = []
        for rule in claim.rules:
            if isinstance(rule, GuidanceHolds):
                continue
            if not isinstance(rule, Compare):  # whatever it asks: under chance p is uniform
                pro = rng.uniform(size=draws)
                each.append(
                    (np.where(pro < 0.5, 2 * pro, 1.0), np.where(pro >= 0.5, 2 * (1 - pro), 1.0))
                )
                continue
            for pair in () if rule.control else rule.pairs:
                a, b = (side.strip() for side in re.split(">=|>", pair))
                bound = -stats.MARGIN if ">=" in pair else 0.0
                apart, error = (
                    values[a] - values[b] - bound,
                    (pooled**2 * (1 / counts[a] + 1 / counts[b]) + 2 * image_sd**2) ** 0.5,
                )
                t = apart / error
                p = stats.distributions.t.sf(t, df)
                each.append((np.minimum(1, 2 * p), np.minimum(1, 2 * (1 - p))))
        evidence.append(each)
    for i in range(draws):
        pieces = [
            ("made", [Evidence("", float(pro[i]), float(con[i])) for pro, con in each])
            for each in evidence
        ]
        for claim in claims.judge(tested, pieces):
            pairs = [pair for rule in compares(claim) if not rule.control for pair in rule.pairs]
            true = bool(pairs) and all(
                ">=" in pair for pair in pairs
            )  # "at least as good", which equal rows are
            wrong[claim.paper][i] |= claim.verdict == "contradicted" or (
                claim.verdict == "supported" and not true
            )
    rates = {paper: float(each.mean()) for paper, each in wrong.items()}
    assert max(rates.values()) < 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5, rates
    assert min(rates.values()) > 0.0  # the simulation can find something


def test_every_claim_of_the_specification_has_a_rule_or_a_reason():
    assert set(SPEC.values()) <= CLAIMS.keys()
    for claim in CLAIMS.values():
        assert bool(claim.rules) != bool(claim.untested), claim.id
        for chapter in claim.chapters:
            assert (files.root() / "notebooks" / f"{chapter}.py").exists()
    assert len(CLAIMS) == len(claims.read())  # no id twice


def verdicts(page):
    """Claim's text → verdict, of a list of claims."""
    lines = re.findall(r"<li><b class='[a-z-]+'>. ([a-z ]+)</b> (.*?)<br><small>", page.content)
    return {html.unescape(text): verdict for verdict, text in lines}


def test_a_claim_has_one_verdict_in_the_whole_book():
    every = {claim.text: claim.verdict for claim in claims.verdicts()}
    pages = {paper: verdicts(book.pages.claims.of_paper(paper)) for paper in claims.PAPERS}
    notebooks = [path.read_text() for path in (files.root() / "notebooks").glob("*.py")]
    telling = {
        match for text in notebooks for match in re.findall(r'book\.verdicts\("([^"]+)"\)', text)
    }
    pages |= {chapter: verdicts(book.verdicts(chapter)) for chapter in telling}
    assert len(telling) > 15
    assert set(itertools.chain(*(pages[paper] for paper in claims.PAPERS))) == set(every)
    for name, page in pages.items():
        assert page and page.items() <= every.items(), name
    of = {
        chapter
        for claim in claims.verdicts()
        for chapter in claim.chapters
        if chapter not in ("91_claims", "24_length")
    }
    assert of <= telling, "a claim names a chapter that shows no verdicts"


def test_a_chapter_says_which_part_of_a_claim_it_shows():
    (line,) = (
        line
        for line in book.verdicts("01_dead_leaves").content.split("<li>")
        if "more than no training" in line
    )
    assert "4 of its 15 comparisons on this page" in line and line.index("squares") < line.index(
        "the others"
    ) < line.index("spectrum")


def test_an_undecided_claim_says_what_would_settle_it():
    for claim in claims.verdicts():
        cell = claim_list([claim]).content
        assert ("would settle it" in cell or "would not settle it" in cell) == (
            claim.verdict == "undecided"
        ), claim.id
        if claim.needed:
            assert claim.needed > 1 and f"{claim.needed:,} runs of each set" in cell


def decided(verdict, *pieces, needed=None):
    """A made-up claim as a page shows it."""
    made_up = claims.Claim(
        "x", "a claim", "a paper", "noise", (), pieces=pieces, verdict=verdict, needed=needed
    )
    return html.unescape(claim_list([made_up]).content)


def test_a_box_tells_a_claims_verdict_in_words():
    (gap,) = [each for each in claims.verdicts() if each.id == "gap_20"]
    text = html.unescape(book.verdict("gap_20"))
    assert gap.verdict in text and text.endswith(f"“{gap.text}”")


CLEAR, OPEN = Evidence("a − b: +1", pro=0.02), Evidence("a − c: +0.3", pro=0.4)
AGAINST, MORE_AGAINST = Evidence("a − d: −1", con=0.03), Evidence("a − e: −2", con=0.001)


def test_the_comparison_that_decides_is_named():
    cell = decided("contradicted", CLEAR, AGAINST, MORE_AGAINST)
    assert "What contradicts it most clearly: a − e: −2." in cell
    assert "What contradicts" not in decided("contradicted", MORE_AGAINST)
    cell = decided("undecided", CLEAR, OPEN, Evidence("a − f: +0.1", pro=0.9))
    assert "What keeps it open: a − f: +0.1, and one more." in cell
    assert "What keeps it open" not in decided("undecided", OPEN)
    control = dataclasses.replace(MORE_AGAINST, control=True)
    assert "Its control fails: a − e: −2." in decided("not tested", control, CLEAR)


def test_where_an_interval_alone_would_decide_it_is_said_why_it_does_not():
    assert "Its comparison holds at 5 % when taken alone" in decided("undecided", CLEAR)
    both = decided("undecided", CLEAR, CLEAR)
    assert "All its comparisons hold at 5 % when taken alone" in both
    against = decided("undecided", CLEAR, AGAINST)
    assert "Taken alone, this is against it: a − d: −1;" in against
    for cell in (both, against):
        assert "Holm's procedure asks for a clearer result." in cell
    for claim_ in claims.verdicts():
        own = [e.verdict for e in claim_.pieces if not e.control]
        alone = claim_.verdict == "undecided" and (
            "contradicted" in own or set(own) == {"supported"}
        )
        cell = html.unescape(claim_list([claim_]).content)
        assert ("asks for a clearer result" in cell) == alone, claim_.id


def test_comparisons_that_wait_for_the_same_rows_share_a_line():
    (waits,) = [c for c in claims.read() if c.id == "places_not_reached"]
    pieces = waits.evidence(Known())
    cell = decided("not tested", *pieces)
    assert f"{len(pieces)} comparisons without a record, for want of 16 sets: " in cell
    assert "real images of other content; dead leaves, squares; " in cell
    assert cell.count("no record") == 0
    assert decided("not tested", pieces[0]).count("no record") == 1


def test_at_least_as_much_is_explained_where_a_comparison_has_a_margin():
    rows = Known(table({"a": 0.395, "b": 0.4}, 3))
    each = [judged(claim(Compare((pair,))), rows) for pair in ("a > b", "a >= b")]
    explained = [MARGIN in html.unescape(claim_list([one]).content) for one in each]
    assert explained == [False, True]


def test_runs_that_would_settle_a_claim_do():
    compare = claim(Compare(("a > b",)))

    def of(number):
        return judged(compare, Known(table({"a": 0.415, "b": 0.4}, number)))

    few = of(2)
    # of the same difference: power is over its draws
    assert few.verdict == "undecided" and of(few.needed).verdict == "supported"


@pytest.mark.parametrize(
    ("paper", "rule", "message"),
    [
        ("noise", 'compare = ["real = random"]', "is not 'a > b' or 'a >= b'"),
        ("noise", 'compare = ["@all > random"]', "no set '@all'"),
        ("noise", 'compare = ["reel > random"]', "did you mean 'real'"),
        ("nose", 'compare = ["real > random"]', "paper = 'nose': must be of noise, stablerep"),
        ("noise", "", "either rules or `untested`"),
        ("noise", "comparison = 1", "rules are compare"),
        ("noise", 'share = { floor = "random" }', "claim 'x': rule 'share': "),
        (
            "noise",
            'private = { noise = 3, floor = "random" }',
            "rule 'private': noise = 3: must be",
        ),
        (
            "noise",
            'private = { noise = "reel", floor = "random" }',
            "names 'reel', which is no row",
        ),
        ("noise", 'untested = "x"\n[[claims]]\nid = "y"', "claim 'y' has no text; add text = "),
        ("noise", "untested = 3", "untested = 3: must be a text"),
        ("noise", "untested =", "claims.toml: not TOML"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(tmp_path, monkeypatch, paper, rule, message):
    head = f'[[claims]]\nid = "x"\npaper = "{paper}"\ntext = ""\nsource = ""\nchapters = []\n'
    (tmp_path / "claims.toml").write_text(head + rule)
    monkeypatch.setattr(claims.files, "root", lambda: tmp_path)
    with pytest.raises((ParameterError, DataError), match=re.escape(message)):
        claims.read("claims.toml")


def test_rows_of_different_test_sets_are_not_compared():
    a, b = Runs((run("a", 0, 900),)), Runs((run("b", 0, 900, test="u"),))
    with pytest.raises(DataError, match="different test images"):
        a.difference(b)
    with pytest.raises(DataError, match="their test sets differ"):
        Runs((*a, *b)).outcomes()


def test_the_profile_that_decides_has_what_a_page_needs():
    assert {"random", "real"} <= runs.committed(claims.deciding()).keys()


def without(known, kind, name):
    """A table without a row, or without a row's or a part's measurement of a kind."""
    if kind == "runs":
        return Known(
            {row: every for row, every in known.runs.items() if row != name}, known.measured
        )
    rows = {
        row: [
            dataclasses.replace(r, results={k: v for k, v in r.results.items() if k != name})
            for r in every
        ]
        for row, every in known.measured[kind].items()
        if row != name
    }
    return Known(known.runs, {kind: rows})


@pytest.mark.parametrize(
    ("rule", "kind", "name"),
    [
        ("share", "runs", "b"),
        ("nearest", "runs", "set9"),
        ("nearest", "properties", "set9"),
        ("correlate", "properties", "set9"),
        ("correlate", "runs", "set9"),
        ("outweighs", "properties", "set9"),
        ("long_tail", "long_tail", "varied"),
        ("long_tail", "long_tail", "balanced"),
        ("closest_group", "transfer", "real"),
        ("trend", "runs", "b"),
        ("best_along", "runs", "v2"),
        ("range", "runs", "c"),
        ("memory", "memory", "random"),
        ("private", "private", "random"),
        ("kept", "initialisation", "row"),
        ("kept", "initialisation", "spectrum, 1000"),
        ("along_guidance", "guidance", "w2"),
        ("denoises", "denoising", "row"),
        ("bears", "robustness", "row"),
        ("fine_tuned", "fine_tuning", "other"),
        ("fine_tuned", "fine_tuning", "20 epochs"),
    ],
)
def test_a_rule_of_which_a_part_is_not_recorded_is_not_tested(rule, kind, name):
    asked, good, *_ = WORLDS[rule]
    assert (
        verdict(rule, asked, good) == "supported"
        and verdict(rule, asked, without(good, kind, name)) == "not tested"
    )


def test_a_way_that_leads_nowhere_leaves_a_share_of_it_untested():
    for ceiling in (0.3, 0.2):
        assert (
            verdict(
                "share", SHARE, Known(table({"random": 0.3, "real": ceiling, "a": 0.25, "b": 0.25}))
            )
            == "not tested"
        )
    turned = measured(
        "memory",
        {row: {"1000": {"top1": a}} for row, a in (("random", 0.4), ("noise", 0.4), ("real", 0.3))},
    )
    assert verdict("memory", MEMORY, Known({}, turned)) == "not tested"


def test_an_encoder_that_has_gained_nothing_has_nothing_to_keep():
    asked, *_ = WORLDS["kept"]
    for trained in (0.4, 0.3):
        assert verdict("kept", asked, Known({}, kept(0.2, 0.2, trained))) == "not tested"


def test_controls_are_not_the_runs_of_a_claim_and_halves_are_those_of_their_row():
    pieces = [Evidence("", 0.5, 1, control=True, runs=1), Evidence("", 0.5, 1, runs=3)]
    assert claims.judge([claim()], [("made", pieces)])[0].runs == 3
    asked, good, *_ = WORLDS["nearest"]
    (e,) = build("nearest", asked).evidence(good)
    assert e.runs == 3  # not those of a half
    # Var of best − nearest by runs of each row: both halves together are one row's
    assert e.one_run == pytest.approx(SPREAD.variance * (2 + stats.CHOICE))


def test_runs_do_not_settle_what_the_test_images_leave_open():
    e = stats.of_units(0.01, 2.0, 5e-5, stats.Spread(1e-8, 20), 2, N)
    clear = stats.of_units(0.05, 2.0, 5e-5, SPREAD, 2, N)
    assert base.of_units("", e, ()).needs(0.05) is None
    assert base.of_units("", clear, ()).needs(0.05)


def test_rows_that_differ_by_luck_with_the_images_alone_do_not_differ():
    """Rows of equal chances on other images each: more runs make none of them better."""
    rng = np.random.default_rng(1)
    right = {name: result(rng.uniform(size=N) < 0.5) for name in "abc"}
    known = Known(
        {
            name: Runs(tuple(of_outcome(name, seed, right[name]) for seed in range(100)))
            for name in "abc"
        }
    )
    (e,) = build("range", ["a", "b", "c"]).evidence(known)
    assert e.pro > 0.05
