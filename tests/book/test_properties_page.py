"""The page on properties, over made-up sets whose accuracy goes with one thing alone."""

import re

import numpy as np
import pytest
from make import measured, part, result, run

from synthlearn.book.pages import properties as page
from synthlearn.study import all_rows
from synthlearn.study.runs import Runs

ROWS = [name for name in all_rows() if page._is_set(name)][:12]
RNG = np.random.default_rng(0)
VOLUME, DISTANCE = RNG.normal(size=(2, len(ROWS)))
SPEC = {"kind": "generator", "data": {"test_sha256": "t"}, "method": {"name": "align_uniform"}}


def eye(what, order=VOLUME):
    """Records in one eye; its values of the two properties, and of others alike for all."""
    every = {}
    for row, volume, distance in zip(ROWS, order, DISTANCE, strict=True):
        values = {"log_volume": volume, "frechet": distance}
        keys = page.PROPERTIES if what == "properties" else page.SEEN + page.DIVERSITY
        parts = {k: part(what, k, value=float(values.get(k, 1.0)), real=0.25) for k in keys}
        record = measured(what, row, 0, parts)
        record.spec.content["tap"] = "conv5"
        every[row] = [record]
    return every


def records():
    """Runs of the sets: accuracies in the order of the volumes."""
    rank = VOLUME.argsort().argsort()
    return {
        row: Runs((run(row, 0, {"fc6_linear": result(np.arange(100) < 30 + k)}, SPEC),))
        for row, k in zip(ROWS, rank, strict=True)
    }


def cells(html):
    rows = re.findall(r"<tr.*?</tr>", html.content, re.DOTALL)
    text = [re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<.*?>", "", cell) for cell in row] for row in text]


def test_a_line_of_each_eye_says_with_what_accuracy_goes():
    table = cells(page.partials(eye("properties"), eye("neutral", -VOLUME), records()))
    lines = {(row[0], row[1]): row[2] for row in table if len(row) == 5}
    assert lines["our encoder", "log volume"].startswith("+1.00")
    assert lines["ImageNet classifier", "log volume"].startswith("-1.00")
    assert lines["our encoder", "recall"].startswith("+0.00")  # alike for all sets


def test_both_eyes_stand_side_by_side_with_how_far_they_agree():
    table = cells(page.eyes_table(eye("properties"), eye("neutral", -VOLUME)))
    lines = {row[0]: row[1:] for row in table if row}
    volume = page.SEEN.index("log_volume")
    assert lines["rank correlation of the two eyes"][volume].startswith("-1.00")
    title = all_rows()[ROWS[0]].title
    assert lines[title][volume] == f"{VOLUME[0]:.3g}, {-VOLUME[0]:.3g}"
    assert lines["real images, another sample"][volume] == "0.25, 0.25"


@pytest.mark.parametrize("sets", [0, 5])
def test_what_is_not_measured_is_said(sets):
    few = {name: every for name, every in list(eye("properties").items())[:sets]}
    assert "no partial correlation" in page.partials(few, {}, records()).content
    assert "needs the extra" in page.eyes_table(few, {}).content
