"""Arms of an encoder are measured alike: frozen at every size, some tuned; equal weights give equal
numbers."""

import dataclasses

import pytest
import torch

from synthlearn.core import rng
from synthlearn.data import datasets
from synthlearn.learn import surgery
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import initialisation, probe


@dataclasses.dataclass
class Settings:
    device: str = "cpu"


class Subject:
    """A run of digits whose encoder has been moved away from its start, as training would."""

    settings = Settings()

    def __init__(self, trained=True):
        self._trained = trained

    def encoder(self):
        encoder = SmallAlexNet(1 / 16, 32, seed=0).eval()
        if self._trained:
            with torch.no_grad():
                for number, p in enumerate(encoder.parameters()):
                    p.add_(rng.normal(rng.key("moved", number), tuple(p.shape)) * 0.01)
        return encoder

    def probe_data(self):
        return datasets.load("digits", "train").first(40), datasets.load("digits", "test").first(20)


def measure(subject, **options):
    made = initialisation.InitialisationOptions(**options)
    return dict(initialisation.Initialisation(made).parts(subject, 0))


def test_arms_and_sizes_are_measured_frozen_and_some_tuned():
    parts = measure(Subject(), per_class=[5, 40], tuned=[5], updates=2)
    arms = ["random", "trained", *surgery.STATISTICS, "first 1", "first 2", "first 3"]
    frozen = [(p.arm, p.per_class) for p in parts.values() if not p.epochs]
    assert frozen == [(arm, size) for arm in arms for size in (5, 40)]
    tuned = {p.arm: p for p in parts.values() if p.epochs}
    assert tuned.keys() == set(initialisation.TUNED)
    assert all(p.epochs == 2 and p.per_class == 5 and p.lr > 0 for p in tuned.values())
    assert all(p.n == 200 and p.low < p.top1 < p.high for p in parts.values())
    assert parts["random, 40"].top1 > parts["random, 5"].top1 > 0.2
    assert all(p.lr == 0 for p in parts.values() if not p.epochs)


def test_an_untrained_encoder_has_one_arm_and_it_is_the_probe_with_new_batch_norm():
    subject = Subject(trained=False)
    parts = measure(subject, per_class=[40], tuned=[])
    assert list(parts) == ["random, 40"]
    train, test = subject.probe_data()
    fresh = probe.reestimate_batch_norm(subject.encoder(), train.images)
    x, y = (probe.main_features(fresh, part.images) for part in (train, test))
    direct = probe.linear(x, train.labels, y, test.labels, 10, 0)
    assert parts["random, 40"].top1 == pytest.approx(direct.top1, abs=1e-6)


def test_batch_norm_of_every_arm_is_of_the_probes_images():
    """An encoder whose statistics are broken measures as one whose are not."""
    subject = Subject()
    whole = measure(subject, per_class=[5], tuned=[])
    encoder = subject.encoder()
    for name, buffer in encoder.named_buffers():
        if name.endswith("running_mean"):
            buffer += 10.0
    subject.encoder = lambda: encoder
    assert measure(subject, per_class=[5], tuned=[]) == whole


@pytest.mark.parametrize(
    ("updates", "images", "epochs"),
    [(80, 1000, 5), (80, 100, 40), (1, 64, 1), (3, 64, 3), (17, 1000, 2)],
)
def test_fine_tuning_takes_at_least_its_updates_and_no_epoch_more(updates, images, epochs):
    assert initialisation.epochs_for(updates, images) == epochs
    in_one = -(-images // 64)
    assert (epochs - 1) * in_one < updates <= epochs * in_one
