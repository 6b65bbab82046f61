"""The page of what images know: numbers of denoisers in words, in a figure and in a table."""

import pytest
import torch
from make import measured as record
from make import part

from synthlearn.book.pages import images_know as page


def denoisers(runs=3, **sets):
    """Records of sets by row, each run 0.1 dB above the one before."""
    return {
        row: [
            record(
                "denoising",
                row,
                s,
                {"natural": part("denoising", "natural", n=7, psnr=x + s / 10, noisy=20.0)},
            )
            for s in range(runs)
        ]
        for row, x in sets.items()
    }


FAR = denoisers(**{"real": 28.0, "dead_leaves-mixed": 26.0, "noise-white": 26.05})


def test_a_difference_is_told_with_its_direction_or_not_at_all():
    of = page.psnr(FAR)
    clause = page.compare(of, "real", "dead_leaves-mixed", "a", "b")
    assert clause.startswith("a denoiser restores natural images 2.00 dB <small>[1.")
    assert clause.endswith("better when trained on a than on b")
    assert page.compare(of, "dead_leaves-mixed", "real", "a", "b").endswith(
        "worse when trained on a than on b"
    )
    alike = page.compare(of, "dead_leaves-mixed", "noise-white", "a", "b")
    assert alike.startswith("denoisers trained on a and on b cannot be told apart: ")
    assert "the difference is -0.05 dB" in alike
    assert page.compare(of, "real", "fractals-sigma") == ""
    assert page.compare(page.psnr(denoisers(1, real=28.0, random=20.0)), "real", "random") == ""


def test_what_a_denoiser_gains_is_told_from_the_noisy_images_on():
    clause = page.lifted(FAR, "real", "photographs")
    assert clause.startswith("a denoiser trained on photographs takes noisy natural images from")
    assert "from 20.00 to 28.10 dB <small>[" in clause
    assert page.lifted(denoisers(1, real=28.0), "real").endswith("to 28.00 dB")
    assert page.lifted(FAR, "fractals-sigma") == ""


def test_figure_and_table_have_the_best_first_and_the_noisy_images():
    table, figure = page.results(FAR).content, page.figure(FAR)
    places = [table.index(title) for title in ("real images", "white noise", "dead leaves, mixed")]
    assert places == sorted(places)
    assert "28.10 <small>[" in table and "8.10" in table and "+2.00" in table
    assert "7 natural images" in table and "intervals over runs, 3 of each set" in table
    assert "noisy ones 20.00" in figure.alt
    one = page.results(denoisers(1, real=28.0)).content
    assert page.ONE in one and "[" not in one


def test_objects_have_colours_of_their_own_and_front_is_bright():
    instances = torch.tensor([[[0, 1], [2, 2]]], dtype=torch.int32)
    colours = page.in_colours(instances)[0]
    assert not colours[:, 0, 0].any() and torch.equal(colours[:, 1, 0], colours[:, 1, 1])
    assert not torch.equal(colours[:, 0, 1], colours[:, 1, 0]) and int(colours[:, 0, 1].min()) >= 60
    grey = page.in_grey(instances)[0, 0]
    assert grey.tolist() == [[0, 127], [255, 255]]


def test_the_sheet_has_a_line_for_each_set():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "SETS", ("dead_leaves-mixed",))
        content = page.sheet(size=32).content
    assert content.count("<img") == 1 and "dead leaves" in content
