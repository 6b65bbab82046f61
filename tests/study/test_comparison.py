"""What records are asked for, here and elsewhere, and what many comparisons say together."""

import math

import numpy as np
import pytest

from synthlearn.core import stats
from synthlearn.study import comparison
from synthlearn.study.comparison import Comparison
from synthlearn.study.records import SourceSpec

WHITE = {"generator": "noise-white", "options": {}}
LOOKS = {"generator": "feature_vis-dead_leaves", "options": {"encoder": "0ab"}}
POOL = SourceSpec(WHITE)
STEPS = (2, 4, 6)


def run_apart(apart, spread, recorded=0.5):
    again, was, spreads = ({"fc6_linear": x} for x in (recorded + apart, recorded, spread))
    return comparison.runs(again, was, spreads)


@pytest.mark.parametrize(
    ("spread", "t"), [(stats.Spread(1e-4, 4), 2.7764), (stats.Spread(1e-4, 78), 1.9908)]
)
def test_a_run_of_another_machine_may_lie_as_far_off_as_two_runs_of_a_row_do_and_no_farther(
    spread, t
):
    half = t * math.sqrt(2) * 0.01
    inside, outside = run_apart(0.99 * half, spread), run_apart(-1.01 * half, spread)
    assert inside.agrees and not outside.agrees and outside.p < 0.05 < inside.p
    assert (
        not inside.strict
        and f"(± {half:.2g})" in inside.numbers
        and inside.asked == "within what two runs of a row differ by"
    )


@pytest.mark.parametrize("df", [2, 5, 40])
def test_two_runs_of_a_row_are_told_apart_in_one_case_of_twenty(df):
    numbers, draws = np.random.default_rng(df), 4000
    pooled = numbers.chisquare(df, draws) / df * 1e-4  # what so few runs make of a variance of 1e-4
    apart = numbers.normal(0, 0.01, (draws, 2)) @ [1, -1]
    wrong = (
        sum(
            not run_apart(a, stats.Spread(v, df)).agrees for a, v in zip(apart, pooled, strict=True)
        )
        / draws
    )
    assert wrong == pytest.approx(0.05, abs=0.011)  # three standard errors


def test_a_run_of_several_measurements_is_one_comparison_of_the_same_size():
    numbers, names = np.random.default_rng(0), ("a", "b", "c", "d")
    spreads = {name: stats.Spread(1e-4, 50) for name in names}
    wrong = 0
    for _ in range(1000):
        first, second = (
            dict(zip(names, 0.5 + numbers.normal(0, 0.01, 4), strict=True)) for _ in range(2)
        )
        wrong += not comparison.runs(first, second, spreads).agrees
    assert 0.02 < wrong / 1000 < 0.07


def test_where_nothing_is_known_of_runs_nothing_is_decided():
    near, far = run_apart(0.02, stats.Spread()), run_apart(0.2, stats.Spread())
    assert near.agrees and not far.agrees and far.word == "unclear"
    assert (far.strict, far.p) == (False, None) and "decides nothing" in far.asked
    assert not comparison.failed([far])


def test_a_value_is_compared_in_its_own_unit():
    spread = stats.Spread(4.0, 10)
    inside, outside = (run_apart(by, spread, recorded=100.0) for by in (5.0, 8.0))
    assert inside.agrees and not outside.agrees
    assert outside.numbers == "fc6_linear 108 for 100 (± 6.3)"


def test_a_start_must_meet_the_first_point_and_may_part_later_but_not_beyond_the_bound():
    recorded = (-1.25, -1.46, -1.89)
    here = comparison.start((-1.2501, -1.465, -1.90), recorded, STEPS, POOL)
    assert (
        here.agrees
        and here.strict
        and here.asked.endswith(
            "up to rounding (± 0.002), then no more than rounding grows to (± 0.03, ± 0.1)"
        )
    )
    for beyond in ((-1.253, -1.46, -1.89), (-1.25, -1.50, -1.89), (-1.25, -1.46, -1.70)):
        assert comparison.start(beyond, recorded, STEPS, POOL).word == "DIFFERS"


@pytest.mark.parametrize(
    "source",
    [
        {"generator": "feature_vis-random", "options": {"encoder": "small"}},
        {"text2image": "learned", "options": {}},
        {"generator": "mixture", "options": {}, "parts": [WHITE, LOOKS]},
    ],
)
def test_a_start_on_images_that_are_others_elsewhere_decides_nothing(source):
    assert comparison.follows(SourceSpec({**WHITE, "parts": [WHITE]}))
    source = SourceSpec(source)
    assert not comparison.follows(source)
    later = comparison.start((-1.24, -1.46, -1.89), (-1.25, -1.46, -1.89), STEPS, source)
    assert (
        later.agrees
        and not later.strict
        and not comparison.failed([comparison.start((9.0,), (0.0,), (2,), source)])
    )


def test_a_first_point_over_many_steps_decides_nothing():
    assert not comparison.start((-1.2,), (-1.3,), (20,), POOL).strict


def test_to_the_bit_is_to_the_last_digit():
    assert comparison.to_the_bit({"loss": [1.0]}, {"loss": [1.0]}).agrees
    other = comparison.to_the_bit({"loss": [1.0]}, {"loss": [1.000001]})
    assert other.word == "DIFFERS" and other.asked == "to the bit" and "for" in other.numbers


def chance(*p):
    return [Comparison(each > stats.LEVEL, "", "", p=each) for each in p]


@pytest.mark.parametrize(
    ("comparisons", "fails"),
    [
        ([], False),
        ([Comparison(True, "", "", strict=True)], False),
        ([Comparison(True, "", "", strict=True), Comparison(False, "", "", strict=True)], True),
        ([Comparison(False, "", "")], False),  # nothing is known of it
        (chance(0.04), False),  # one in twenty
        (chance(0.004), True),  # one, but too far
        (chance(*[0.5] * 18, 0.04, 0.03), False),
        (chance(*[0.5] * 5, *[0.04] * 4), True),  # none too far, but too many
        (chance(*[0.5] * 99, 0.004), False),  # of a hundred one will be so far
    ],
)
def test_many_comparisons_fail_when_more_differ_than_chance_explains(comparisons, fails):
    assert comparison.failed(comparisons) is fails


def test_false_alarms_alone_seldom_make_many_comparisons_fail():
    numbers = np.random.default_rng(1)
    assert (
        np.mean([comparison.failed(chance(*numbers.uniform(size=20))) for _ in range(2000)]) < 0.03
    )  # 1 % for their number, 1 % for the farthest


def test_the_summary_counts_what_was_asked_and_the_false_alarms_to_expect():
    comparisons = [
        Comparison(True, "", "", strict=True),
        *chance(*[0.5] * 19, 0.04),
        Comparison(False, "", ""),
    ]
    summary = comparison.summary(comparisons)
    assert summary.startswith(
        "22 comparisons: 20 agree, 2 do not.\nTo the bit or up to rounding: 1 of 1 agree."
    )
    assert (
        "19 of 20 agree; 1 or fewer false alarms are to be expected (5 %)" in summary
        and "in 64 % of cases" in summary
    )
    assert summary.endswith(
        "No more differs than rounding and chance explain."
    ) and "Nothing to compare" in comparison.summary([])
    assert comparison.summary(chance(0.001)).endswith(
        "FAILED: more differs than rounding and chance explain."
    )
