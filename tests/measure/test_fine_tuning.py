"""Fine-tuning: it learns, chooses its rate on something, and leaves the encoder as it was."""

import pytest
import torch

from synthlearn.core.errors import DataError
from synthlearn.data import datasets
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import fine_tuning


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", "train"), datasets.load("digits", "test")


def test_fine_tuning_chooses_no_rate_on_nothing(digits):
    with pytest.raises(DataError, match="no class has two training images to choose the rate on"):
        next(
            fine_tuning.fine_tuning(SmallAlexNet(0.125, 32), digits[0].first(1), digits[1], (1,), 0)
        )


def test_fine_tuning_beats_chance_and_leaves_the_encoder_alone(digits):
    encoder = SmallAlexNet(1 / 16, 32).eval()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    ((name, part),) = fine_tuning.fine_tuning(encoder, digits[0].first(30), digits[1], (8,), 0)
    assert name == "8 epochs" and part.top1 > 0.3 and part.lr in fine_tuning.RATES
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())
