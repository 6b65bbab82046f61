"""Rare classes: the rule of their sizes, ways to fill them up, and sets whose answer is known."""

import pytest
import torch

from synthlearn import study
from synthlearn.core import augment, rng
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.data import datasets, image_set
from synthlearn.measure import long_tail


def test_sizes_fall_by_the_rule():
    assert long_tail.sizes(1000, 10, 100) == [1000, 599, 359, 215, 129, 77, 46, 28, 17, 10]
    assert long_tail.sizes(50, 3, 1) == [50, 50, 50]
    for most, classes, ratio in ((10, 1, 2), (10, 3, 11), (10, 3, 0.5)):
        with pytest.raises(ParameterError, match="at least two classes"):
            long_tail.sizes(most, classes, ratio)


def test_parts_follow_the_seeds_order():
    labels = torch.arange(1000) % 10
    order = rng.permutation(rng.key("long tail", 4), 10)
    correct = torch.isin(labels, order[7:])
    assert long_tail.by_part(correct, labels, 4) == {
        "head": (0, 300),
        "middle": (0, 400),
        "tail": (300, 300),
    }
    assert any(
        not torch.equal(order, rng.permutation(rng.key("long tail", s), 10)) for s in range(3)
    )


def test_every_way_to_fill_up_rare_classes_is_measured():
    images, test = datasets.load("digits").first(30), datasets.load("digits", "test")
    whole = datasets.load("digits").first(60)  # a network that draws what it has seen
    beyond = image_set.rank_within_class(whole.labels) >= 30
    samples = whole.images[beyond], whole.labels[beyond]
    read = lambda x: x.flatten(1).float() / 255  # noqa: E731
    views = augment.Augmentation(8, 0.9, jitter_p=0.0, grey_p=0.0, flip_p=0.0)

    def arms(samples):
        return long_tail.arms(read, images, test, 30, views, samples, seed=1)

    found = arms(samples)
    assert list(found) == list(long_tail.ARMS)
    assert all(c.shape == test.labels.shape and c.dtype == torch.bool for c in found.values())
    tail = {name: long_tail.by_part(c, test.labels, 1)["tail"][0] for name, c in found.items()}
    assert tail["balanced"] > tail["as it is"] and tail["repeated"] > tail["as it is"]
    assert tail["samples"] > tail["mosaics"]
    again = arms(samples)
    assert all(torch.equal(found[k], again[k]) for k in found)
    false = arms((samples[0], 9 - samples[1]))
    differ = {name for name in found if not torch.equal(found[name], false[name])}
    assert differ == {"samples"}
    none = samples[1] != int(long_tail._order(10, 1)[-1])  # of the rarest
    with pytest.raises(DataError, match="samples hold none of class"):
        arms((samples[0][none], samples[1][none]))


def test_a_class_takes_its_first_samples_and_these_again():
    labels = torch.tensor([2, 0, 2, 0, 0])
    assert long_tail._first(labels, [2, 0, 5]).tolist() == [1, 3, 0, 2, 0, 2, 0]


def test_a_row_without_captions_fills_nothing_up():
    measured = long_tail.LongTail(long_tail.LongTailOptions(model="noise-white"))
    experiment = study.Experiment(study.get_row("dead_leaves-mixed"), study.resolve("smoke"), 0)
    with pytest.raises(ParameterError, match="model = 'noise-white': its images have no captions"):
        next(measured.parts(experiment, 0))


def test_mosaics_of_one_image_are_that_image():
    images = rng.integers(rng.key("one"), 0, 256, (1, 3, 8, 8)).byte().view(1, 3, 8, 8)
    made = long_tail.mosaics(images, 30, rng.key("some"), "cpu")
    assert (
        made.shape == (30, 3, 8, 8)
        and len(long_tail.mosaics(images, 0, rng.key("some"), "cpu")) == 0
    )
    nearest = torch.minimum(
        (made.int() - images.int()).abs().amax((1, 2, 3)),
        (made.int() - images.flip(3).int()).abs().amax((1, 2, 3)),
    )
    assert float((nearest <= 1).double().mean()) > 0.5  # or parts of its mirror image


def test_a_long_tails_parts_are_of_ten_classes():
    right = torch.ones(20, dtype=torch.bool)
    assert long_tail.by_part(right, torch.arange(20) % 10, 0) == {
        "head": (6, 6),
        "middle": (8, 8),
        "tail": (6, 6),
    }
    for labels in (torch.arange(20), torch.arange(20) % 9, torch.arange(20) % 9 + 2):
        with pytest.raises(DataError, match="long tail: test images of"):
            long_tail.by_part(right, labels, 0)
