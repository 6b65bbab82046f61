"""Every layer is probed; sets that do not number the same classes are refused by all
measurements."""

import dataclasses

import pytest

from synthlearn.core.errors import DataError
from synthlearn.data import datasets
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import few_shot, fine_tuning, layers, long_tail


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", "train"), datasets.load("digits", "test")


def test_every_layer_is_measured(digits):
    encoder = SmallAlexNet(1 / 16, 32).eval()
    parts = dict(layers.layers(encoder, digits[0].first(20), digits[1], 0))
    assert list(parts) == list(encoder.taps)
    assert all(0.1 < part.low < part.top1 < part.high for part in parts.values())
    assert [parts[tap].size for tap in ("conv1", "conv5", "fc6")] == [6, 12, 256]


def test_sets_that_number_their_classes_apart_are_not_measured(digits):
    training, test = (
        digits[0].first(2),
        dataclasses.replace(digits[1].first(2), classes=digits[1].classes[::-1]),
    )
    encoder = SmallAlexNet(1 / 16, 32).eval()
    for parts in (
        layers.layers(encoder, training, test, 0),
        few_shot.few_shot(encoder, training, test, 0),
        fine_tuning.fine_tuning(encoder, training, test, (1,), 0),
    ):
        with pytest.raises(DataError, match="come in another order"):
            next(parts)
    with pytest.raises(DataError, match="come in another order"):
        long_tail.arms(lambda x: x.flatten(1).float(), training, test, 20, None, training, 0)
