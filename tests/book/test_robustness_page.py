"""The part of a page on mixing images: classifiers in words, in a figure and in tables."""

import pytest
import torch
from make import measured as record

from synthlearn import study
from synthlearn.book.pages import robustness as page
from synthlearn.measure.base import Accuracy
from synthlearn.measure.corruptions import KINDS
from synthlearn.measure.robustness import CLEAN, CORRUPTED, MeanAccuracy
from synthlearn.study import units

N = 400  # test images


def classifiers(runs=3, **sets):
    """Records of sets by row, each run half a point above the one before; clean images are ten
    points easier, and fog as hard as the mean."""
    return {
        row: [record("robustness", row, s, parts(x + s / 200)) for s in range(runs)]
        for row, x in sets.items()
    }


def parts(top1):
    right = round(top1 * N)
    mean = MeanAccuracy(N, top1, top1, top1, "f" * right + "0" * (N - right))
    of_kinds = {kind: Accuracy(N, top1, top1, top1) for kind in KINDS}
    return {CORRUPTED: mean, CLEAN: Accuracy(N, top1 + 0.1, top1 + 0.1, top1 + 0.1), **of_kinds}


FAR = classifiers(**{"random": 0.4, "noise-white": 0.4, "noise-moire": 0.5})


def test_a_difference_is_told_of_sets_and_of_no_mixing():
    clause = page.compare(FAR, "noise-moire", "random")
    assert clause.startswith("a classifier's top-1 under corruptions is 10.0 points <small>[")
    assert clause.endswith("higher with moiré mixed in than with no mixing")
    alike = page.compare(FAR, "noise-white", "random")
    assert alike.startswith("white noise mixed in and no mixing cannot be told apart")
    assert page.compare(FAR, "noise-white", "real") == ""


def test_the_price_on_clean_images_is_told():
    dear = classifiers(**{"random": 0.5, "noise-moire": 0.4})
    clause = page.price(dear, "noise-moire")
    assert clause.startswith("a classifier's top-1 on clean images is 10.0 points <small>[")
    assert clause.endswith("lower with moiré mixed in than with no mixing")
    assert page.price(FAR, "real") == ""


def test_figure_and_tables_have_the_best_first_and_say_what_is_known():
    table, figure = page.results(FAR).content, page.figure(FAR)
    assert table.index("<td>moiré") < table.index("<td>no mixing") and "+10.0 <small>[" in table
    assert "400 images" in table and page.OVER in table
    assert "moiré 50.5 and 60.5" in figure.alt and "no mixing 40.5 and 50.5" in figure.alt
    kinds = page.by_kind(FAR).content
    assert kinds.count("<tr>") == 16 and "Gaussian noise" in kinds and "JPEG" in kinds
    one = page.results(classifiers(1, random=0.4)).content
    assert page.ONE in one and page.OVER not in one


def test_a_line_that_is_not_drawn_is_not_told_of():
    with_control, without = (
        page.figure(classifiers(**sets)).content
        for sets in ({"random": 0.4, "noise-moire": 0.5}, {"noise-moire": 0.5})
    )
    assert "dashed" in with_control and "dashed" not in without


def test_where_nothing_is_recorded_a_sentence_says_so():
    for show in (page.figure, page.results, page.by_kind):
        assert show({}).alt == page.NOTHING


def test_images_are_of_the_probe_and_of_the_size_of_views():
    profile = study.resolve("smoke")
    images = page.examples(profile, 3)
    assert images.shape == (3, 3, 32, 32) and images.dtype == torch.uint8
    assert page.kinds(profile).content.count("<img") == len(KINDS)
    lines = {"image": images.float() / 255, "mixed": 1 - images.float() / 255}
    assert page.mixed(lines).content.count("<img") == 2


def test_the_difference_is_surer_where_classifiers_are_right_about_the_same_images():
    alike = units.corrupted_apart(FAR, "noise-moire", "random")
    assert alike.mean == pytest.approx(0.1) and "encoders" in alike.over
    other = classifiers(**{"random": 0.4})
    for one in other["random"]:
        mean = one.results[CORRUPTED]
        one.results[CORRUPTED] = MeanAccuracy(N, mean.top1, mean.low, mean.high, mean.right[::-1])
    apart = units.corrupted_apart({**FAR, **other}, "noise-moire", "random")
    assert apart.mean == pytest.approx(0.1) and apart.fixed > 3 * alike.fixed
    # images' share: a tenth of the images decides; then all where one and not the other is right
    assert alike.fixed == pytest.approx(0.1 * 0.9 / N, rel=0.05)
