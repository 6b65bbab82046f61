"""Rendered tasks: what is drawn follows from the label alone, and nothing simple gives it away."""

import dataclasses

import pytest
import torch
from scipy import ndimage

from synthlearn.core import rng
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.data import datasets
from synthlearn.measure import tasks


@pytest.mark.parametrize("name", list(tasks.RENDERED))
def test_mean_colour_says_nothing_of_the_label(name):
    train, test = tasks.load(name)
    a, b = (s.images.double().mean((2, 3)) for s in (train, test))
    found = float((train.labels[torch.cdist(b, a).argmin(1)] == test.labels).double().mean())
    assert abs(found - 1 / len(train.classes)) < 0.03


@pytest.mark.parametrize("name", ["count", "size"])
def test_painted_area_does_not_depend_on_number_or_ratio(name):
    draw, classes = tasks.RENDERED[name]
    keys, label = rng.key("area", torch.arange(80 * classes)), torch.arange(80 * classes) % classes
    area = torch.cat(
        [
            draw(k, c).double().mean((1, 2))
            for k, c in zip(keys.split(160), label.split(160), strict=True)
        ]
    )
    means = torch.stack([area[label == c].mean() for c in range(classes)])
    assert float((means / means.mean() - 1).abs().max()) < 0.06


def test_the_number_of_discs_is_the_label():
    label = torch.arange(64) % 8
    inside = tasks.count(rng.key("count", torch.arange(64)), label)
    assert [ndimage.label(x.numpy())[1] for x in inside] == (label + 1).tolist()


def test_place_and_direction_are_the_label():
    label = torch.arange(64) % 8
    disc = tasks.position(rng.key("p", torch.arange(64)), label).double()
    column = (
        (disc.sum(1) * (torch.arange(disc.shape[2]) + 0.5)).sum(1)
        / disc.sum((1, 2))
        / tasks.OVERSAMPLING
    )
    assert torch.equal(((column - 8) / (tasks.SIDE - 16) * 8).floor().long().clamp(0, 7), label)
    for bar, c in zip(tasks.orientation(rng.key("o", torch.arange(64)), label), label, strict=True):
        y, x = torch.nonzero(bar, as_tuple=True)
        _, vectors = torch.linalg.eigh(torch.stack((x.double(), y.double())).cov())
        angle = float(torch.rad2deg(torch.atan2(vectors[1, 1], vectors[0, 1]))) % 180
        apart = abs(angle - 22.5 * float(c))
        assert min(apart, 180 - apart) < 10


def test_pictures_are_functions_of_their_index_and_classes_take_turns():
    few, many = tasks.rendered("size", "train", 12), tasks.rendered("size", "train", 30)
    assert (
        torch.equal(few.images, many.images[:12]) and few.labels.tolist() == [0, 1, 2, 3, 4, 5] * 2
    )
    assert not torch.equal(few.images, tasks.rendered("size", "test", 12).images)
    with pytest.raises(ParameterError, match="task 'colour': must be one of count, position"):
        tasks.rendered("colour", "train", 4)


def test_sets_are_cut_to_equal_classes():
    train, test = tasks.load("digits")
    assert (
        len(train) <= tasks.TRAIN
        and len(test) <= tasks.TEST
        and {*train.classes} == {*test.classes}
    )
    assert int(train.labels.bincount().max()) <= 100
    assert "digits" in tasks.suite()["specialised"] and {*tasks.RENDERED} <= {
        *tasks.suite()["structured"]
    }


def test_a_task_whose_splits_number_their_classes_apart_is_refused(monkeypatch):
    digits = {split: datasets.load("digits", split) for split in datasets.SPLITS}
    turned = dataclasses.replace(digits["test"], classes=digits["test"].classes[::-1])
    monkeypatch.setattr(
        datasets,
        "load",
        lambda name, split, size=None: turned if split == "test" else digits[split],
    )
    with pytest.raises(DataError, match="labels of the two would not mean the same"):
        tasks.load("digits")
