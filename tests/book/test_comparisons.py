"""Pairs of rows: their differences drawn, and what is said of each."""

import numpy as np
import pytest
from make import result, run

from synthlearn import book
from synthlearn.book import comparisons, sentences
from synthlearn.core import stats
from synthlearn.study import get_row, resolve
from synthlearn.study.runs import Runs

SPEC = {"kind": "generator", "data": {"test_sha256": "t"}, "method": {"name": "align_uniform"}}


def estimate(mean, error=0.01):
    return stats.Estimate(mean, error, df=100, runs=3, n=1000)


def pair(mean):
    return comparisons.Pair(estimate(mean), "noise")


def runs(right):
    results = {"fc6_linear": result(np.arange(1000) < right)}
    return Runs((run("dead_leaves-mixed", 0, results, SPEC),))


def test_a_large_difference_is_said_to_be_one_and_a_small_one_not():
    text = book.differences({"large": pair(0.2), "small": pair(0.001)}).alt
    assert "large: differ" in text and "small: cannot be told apart" in text


def test_the_bar_rises_with_the_number_of_pairs():
    p = comparisons.Pair(estimate(0.0205), "noise")  # p = 0.043
    rest = {f"pair {i}": pair(0.0) for i in range(9)}
    assert book.tell_apart({"this": p}, "here") == "the one comparison here shows a difference"
    assert "none of the ten comparisons" in book.tell_apart({"this": p, **rest}, "here")


def test_the_few_pairs_that_differ_are_named():
    few = {"large": pair(0.2), "small": pair(0.001)}
    text = book.tell_apart(few, "here")
    assert text == "one of the two comparisons here shows a difference (large)"
    many = {f"pair {i}": pair(0.2) for i in range(5)}
    assert book.tell_apart(many, "here") == "each of the five comparisons here shows a difference"


def test_rows_beside_a_floor_are_counted_above_and_below_it():
    def says(*means):
        every = {f"set {i}": pair(mean) for i, mean in enumerate(means)}
        return book.beside(every, "sets", "no training")

    assert says(0.2, -0.2, -0.3, 0.0) == (
        "of four sets, one teaches more than no training (set 0), and two teach less (set 1; set 2)"
    )
    assert says(0.0, 0.01) == "of two sets, none teaches more than no training"
    assert says(0.2, 0.3) == "of two sets, all teach more than no training"
    assert says(0.2) == "set 0 teaches more than no training"
    assert says(-0.2) == "set 0 teaches less than no training"
    assert says(0.0) == "set 0 cannot be told from no training"
    assert says() == ""
    assert says(0.2, 0.0205, 0.0, 0.0) == (  # p = 0.043: clear alone, not among four
        "of four sets, one teaches more than no training (set 0), by Holm's procedure over the four"
    )
    one = stats.Estimate(0.2, 0.01, df=100, runs=1, n=1000, over="images")
    few = book.beside({"set 0": comparisons.Pair(one, "noise")}, "sets", "no training")
    assert few == f"set 0 teaches more than no training {sentences.ALONE}"


def test_the_figure_says_each_difference_in_words():
    alt = book.differences_figure({"mild − strong": pair(0.034)}, "Views.").alt
    assert "mild − strong: +3.4 points" in alt


def test_pairs_without_runs_are_left_out_and_that_is_said():
    assert "recorded" in book.differences({}).alt and book.tell_apart({}, "of views") == ""
    cpu = resolve("cpu")
    assert book.pairs(cpu, {"here": ("real", "no such row")}) == {}


def test_a_difference_that_stands_on_one_run_says_so():
    a, b = runs(900), runs(300)
    two = Runs((*b, *b))
    clear = estimate(0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runs, "difference", lambda *_: clear)
        assert book.compare(a, b, "x", "y").endswith(" (one run each)")
        assert book.compare(a, two, "x", "y").endswith(" (one run of x)")
        assert book.compare(two, two, "x", "y").endswith("with x than with y")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clause_names_the_higher_of_two(sign):
    text = book.in_words(estimate(0.1 * sign), "leaves", "noise")
    assert f"{'higher' if sign > 0 else 'lower'} with leaves than with noise" in text
    assert "[8.0, 12.0]" in text  # a size has no sign


def test_a_clause_and_a_comparison_of_runs_agree():
    a, b = runs(900), runs(300)
    names = (get_row("dead_leaves-mixed").title,) * 2
    words = book.in_words(a.difference(b), *names, runs=" with 1 runs each")
    assert book.compare(a, b).startswith(words)
