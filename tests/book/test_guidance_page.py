"""What the page on guidance says of samples and of accuracy, with few records and with many."""

import dataclasses

import numpy as np
import pytest
from make import measured, part, result, run

from synthlearn import study
from synthlearn.book import sweeps
from synthlearn.book.pages import guidance as page
from synthlearn.study.runs import Runs

STUDY = study.resolve("cpu")
ROWS = ("learned", "learned.w2", "learned.w6")  # w = 1, 2, 6
SPEC = {"kind": "learned", "data": {"test_sha256": "t"}, "method": {"name": "simclr"}}
SCALES = {1: "learned", 2: "learned.w2"}
ALIKE = {"SimCLR": SCALES, "the same": SCALES}
STABLEREP = {1: "learned.stablerep", 2: "learned.stablerep_w2", 6: "learned.stablerep_w6"}


def samples(**numbers):
    """Measured samples of the three rows; of each number, given or constant, a value a row."""
    every = {}
    for i, row in enumerate(ROWS):
        of = {key: numbers.get(key, (0.5,) * len(ROWS))[i] for key in page.FIDELITY}
        parts = {key: part("guidance", key, value=value, real=0.5) for key, value in of.items()}
        every[row] = [measured("guidance", row, 0, parts)]
    return every


def trained(**right):
    """Two runs of each row, row → right answers of a thousand."""
    return {
        row: Runs(
            tuple(run(row, s, {"fc6_linear": result(np.arange(1000) < n)}, SPEC) for s in (0, 1))
        )
        for row, n in right.items()
    }


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("agreement", (0.3, 0.5, 0.7), "agreement with the caption rises (30.0 % to 70.0 %)"),
        ("variety", (3.0, 2.5, 2.0), "variety within a caption falls (3.00 to 2.00)"),
        ("precision", (0.9, 0.8, 0.8), "precision falls (90.0 % to 80.0 %)"),
        ("recall", (0.8, 0.9, 0.6), "recall is highest at w = 2 (90.0 %)"),
        ("frechet", (0.4, 0.2, 1.8), "Fréchet distance is lowest at w = 2 (0.200)"),
        ("agreement", (0.3, 0.5, 0.5), "agreement with the caption rises (30.0 % to 50.0 %)"),
        ("agreement", (0.5, 0.5, 0.5), "agreement with the caption stays (50.0 %)"),
    ],
)
def test_what_guidance_does_is_read_off_the_records(key, values, words):
    text = page.along_in_words(samples(**{key: values}), ROWS, STUDY)
    assert text.startswith("as guidance grows from w = 1 to 6, samples") and words in text
    assert words in page.fidelity_figure(samples(**{key: values}), ROWS, STUDY).content


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ((500, 700, 600), "the highest top-1 of SimCLR is there too"),
        ((500, 700, 701), "we cannot tell whether SimCLR teaches less there than at 6"),
        ((500, 600, 700), "SimCLR teaches less there than at 6"),
    ],
)
def test_whether_samples_teach_most_where_they_look_best_is_said(monkeypatch, right, words):
    monkeypatch.setattr(sweeps, "runs_of", lambda row, profile: None)
    lines = {"SimCLR": dict(zip((1, 2, 6), ROWS, strict=True)), "StableRep": STABLEREP}
    rows = trained(**dict(zip(ROWS, right, strict=True)))
    text = page.look_in_words(samples(frechet=(0.4, 0.2, 1.8)), ROWS, rows, STUDY, lines)
    assert text == (
        f"samples are nearest to real images, by the Fréchet distance, at w = 2; {words}"
    )


@pytest.mark.parametrize(
    ("agreement", "able"), [(0.6, "it can:"), (0.4, "it can in part:"), (0.1, "it hardly can:")]
)
def test_samples_that_hardly_show_their_caption_are_said_to(agreement, able):
    seen = samples(agreement=(agreement,) * 3)
    assert page.drawn_in_words(seen, "learned.w2", STUDY).startswith(able)


def test_what_each_encoder_saw_has_its_own_line_of_real_images():
    seen = samples()
    one = page.fidelity_table(seen, STUDY).content
    (record,) = seen["learned.w6"]
    spec = dataclasses.replace(record.spec, content={**record.spec.content, "reference": "x"})
    other = {**seen, "learned.w6": [dataclasses.replace(record, spec=spec)]}
    two = page.fidelity_table(other, STUDY).content
    assert [text.count("<i>real images</i>") for text in (one, two)] == [1, 2]
    assert page.EYES in two and page.EYES not in one


def test_one_row_tells_nothing_of_guidance():
    few = {"learned": samples()["learned"]}
    assert page.along_in_words(few, ROWS, STUDY) == ""
    assert page.look_in_words(few, ROWS, {}, STUDY, {}) == ""
    assert page.agreement_in_words(few, "learned", "learned.w2", STUDY) == ""


def test_the_best_guidance_is_named_with_what_cannot_be_told_from_it(monkeypatch):
    monkeypatch.setattr(sweeps, "runs_of", lambda row, profile: None)
    grid = dict(zip(STABLEREP.values(), (500, 700, 699), strict=True))
    lines = {"StableRep": STABLEREP, "SimCLR": {1: "learned", 2: "learned.w2"}}
    text = page.teaching_in_words(trained(**grid), STUDY, lines)
    assert text.startswith("of w = 1, 2 and 6, StableRep teaches most at 2 (70.0 %)")
    assert text.endswith("which cannot be told from 6")
    clear = trained(**dict(zip(STABLEREP.values(), (500, 700, 600), strict=True)))
    assert page.teaching_in_words(clear, STUDY, lines).endswith("teaches most at 2 (70.0 %)")
    one = {STABLEREP[2]: 700, "learned.w2": 600}
    assert page.teaching_in_words(trained(**one), STUDY, lines) == (
        "StableRep and SimCLR have run at w = 2 alone so far (70.0 % and 60.0 %)"
    )
    mixed = page.teaching_in_words(trained(**one, learned=600), STUDY, lines)
    assert mixed == (
        "of w = 1 and 2, SimCLR teaches more at 1 (60.0 %), which cannot be told from 2; "
        "StableRep has run at w = 2 alone so far (70.0 %)"
    )
    assert page.teaching_in_words({}, STUDY, lines) == ""
    twice = page.teaching_in_words(trained(**{"learned": 500, "learned.w2": 700}), STUDY, ALIKE)
    assert twice == (
        "of w = 1 and 2, SimCLR teaches more at 2 (70.0 %); the same teaches more at 2 (70.0 %)"
    )


def test_a_line_and_a_table_say_which_rows_have_no_run_yet(monkeypatch):
    monkeypatch.setattr(sweeps, "runs_of", lambda row, profile: None)
    some = trained(**{STABLEREP[1]: 500, STABLEREP[2]: 600}, **{sweeps.REAL: 400})
    figure = sweeps.along(some, STUDY, "w", {"StableRep": STABLEREP})
    assert "Not recorded yet: StableRep at w = 6." in figure.content
    table = sweeps.variants(some, STUDY, *STABLEREP.values(), against=STABLEREP[1])
    title = study.get_row(STABLEREP[6]).title
    assert f"Not recorded yet: {title}." in table.content
    whole = sweeps.along(some, STUDY, "w", {"StableRep": {1: STABLEREP[1], 2: STABLEREP[2]}})
    assert "Not recorded" not in whole.content


def test_samples_are_named_by_model_and_guidance():
    table = page.fidelity_table(samples(), STUDY).content
    assert "<td>learned model, w = 1</td>" in table and "<td>learned model, w = 6</td>" in table
