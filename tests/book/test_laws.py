"""Pages of laws: every law is explained, and marks follow from tolerances."""

import re

import pytest
import torch

from synthlearn.book import laws

FAMILIES = ("dead_leaves", "statistical", "stylegan", "feature_vis")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_law_that_a_page_measures_is_explained(family):
    variants = laws.laws(family)
    assert {name for each in variants.values() for name in each} <= laws.MEANINGS.keys()


@pytest.mark.parametrize(("shift", "mark"), [(0.0, "✓"), (1.0, "✗ outside")])
def test_a_median_within_its_tolerance_is_marked(shift, mark):
    law = laws.laws("dead_leaves")["squares"]["mean"]
    low, middle, high = law.quartiles
    allowed = laws.metrics.tolerance(law.quartiles, 9, law.n)
    ours = torch.full((9,), middle + 1.01 * shift * allowed)
    shown = laws.law_table("dead_leaves", {"squares": {"mean": ours}}).content
    assert f"<td>{mark}</td>" in shown and f"{middle:g} <small>[{low:g}, {high:g}]" in shown
    assert laws.MEANINGS["mean"] in shown and f"{law.n}" in shown


def test_small_figures_are_powers_of_ten_and_equalities_are_exact():
    shown = laws.check_table("statistical_exact", {"orthonormal": 6e-8}).content
    assert "6.0\xa0×\xa010⁻⁸" in shown and not re.search(r"\de-\d", shown)
    assert "<td>exact</td>" in laws.check_table("stylegan_exact", {"kernels": 32}).content
