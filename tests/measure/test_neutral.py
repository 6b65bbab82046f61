"""Properties in a neutral eye: closed forms, and that all images reach it in one size."""

import math

import pytest
import torch

from synthlearn import study
from synthlearn.learn import encoders, reference
from synthlearn.measure import neutral, properties
from synthlearn.study.measuring import Measuring


def normal(seed, n=400, d=6):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of(x, real, other=None):
    return dict(neutral.compare(x, real, real if other is None else other))


def test_a_set_compared_with_itself_is_as_near_and_as_wide_as_it_can_be():
    x = normal(0)
    parts = of(x, x)
    assert parts["frechet"].value == pytest.approx(0, abs=1e-9)
    assert parts["precision"].value == parts["recall"].value == parts["coverage"].value == 1
    assert all(part.value == part.real and part.n == len(x) for part in parts.values())


def test_a_shift_by_s_is_a_frechet_distance_of_d_s_squared_and_leaves_the_volume():
    x = normal(0)
    parts = of(x + 100, x)
    assert parts["frechet"].value == pytest.approx(6 * 100**2)
    assert parts["precision"].value == parts["recall"].value == parts["coverage"].value == 0
    assert parts["log_volume"].value == pytest.approx(parts["log_volume"].real)


def test_a_set_k_times_as_wide_has_d_log_k_more_log_volume():
    x = normal(0)
    parts = of(3 * x, x)
    # the ridge, a thousandth of a mean eigenvalue, takes less than that from each of six
    more = parts["log_volume"].value - parts["log_volume"].real
    assert more == pytest.approx(6 * math.log(3), abs=0.01)
    assert parts["effective_rank"].value == pytest.approx(parts["effective_rank"].real)


def test_the_estimators_are_those_of_our_own_eye():
    x, real, other = normal(0), normal(1), normal(2)
    parts = of(x, real, other)
    assert parts["frechet"].value == properties.rounded("x", properties.frechet(real, x))
    assert parts["recall"].real == properties.neighbourhoods(real, other)["recall"]


class Eye(encoders.SmallAlexNet):
    """Stands for the reference."""

    taps = (*encoders.SmallAlexNet.taps, neutral.TAP)

    def __init__(self):
        super().__init__(1 / 16, 32)

    def features(self, x, taps=()):
        return {neutral.TAP: super().features(x, ("conv5",))["conv5"]}


@pytest.fixture
def job(runs, monkeypatch):
    """The measurement of white noise, by an eye of ours."""
    monkeypatch.setattr(reference, "Reference", Eye)
    profile = study.resolve("smoke", device="cpu", n_images=24)
    return Measuring("neutral", study.Experiment(study.get_row("noise-white"), profile, 0))


def test_pictures_and_real_images_reach_the_eye_from_one_size(job, monkeypatch):
    sizes = []
    features = neutral.probe.features
    monkeypatch.setattr(
        neutral.probe, "features", lambda e, x, taps: sizes.append(x.shape) or features(e, x, taps)
    )
    parts = dict(job.parts())
    assert list(parts)[:3] == ["frechet", "precision", "recall"]
    assert sizes == [(48, 3, 32, 32), (24, 3, 32, 32)]
    assert all(part.n == 24 for part in parts.values())
    # the digits' two halves are more alike than noise is to them
    assert parts["frechet"].real < parts["frechet"].value


def test_its_record_names_the_network_and_its_tap(job):
    content = job.spec.content
    assert content["reference"] == reference.spec() and content["reference"]["sha256"]
    assert (content["tap"], content["images"], content["source"]["generator"]) == (
        neutral.TAP,
        24,
        "noise-white",
    )
