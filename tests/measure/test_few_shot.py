"""Few examples: classifiers against scikit-learn's, draws that are counted."""

import torch
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from synthlearn.core import rng
from synthlearn.data import datasets
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import few_shot
from synthlearn.measure.regression import Standardiser


def features(seed, n, d, classes):
    labels = torch.arange(n) % classes
    return rng.normal(rng.key("f", seed), (n, d)) + 1.5 * rng.normal(rng.key("c"), (classes, d))[
        labels
    ], labels


def test_ridge_is_scikit_learns():
    x, labels = features(0, 60, 20, 4)
    y, truth = features(1, 100, 20, 4)
    standardise = Standardiser(x)
    target = 2 * torch.nn.functional.one_hot(labels, 4).double() - 1
    model = Ridge(alpha=1.0).fit(standardise(x).double().numpy() / 20**0.5, target.numpy())
    expected = model.predict(standardise(y).double().numpy() / 20**0.5).argmax(1)
    predicted = few_shot.ridge(x, labels, y, 4)
    assert (predicted.numpy() == expected).mean() > 0.99
    assert float((predicted == truth).double().mean()) > 0.8


def test_nearest_mean_is_scikit_learns_on_unit_features():
    x, labels = features(0, 40, 6, 4)
    y, _ = features(1, 100, 6, 4)
    centroids = normalize(NearestCentroid().fit(normalize(x.numpy()), labels.numpy()).centroids_)
    assert (
        few_shot.nearest_mean(x, labels, y, 4).numpy()
        == (normalize(y.numpy()) @ centroids.T).argmax(1)
    ).all()


def test_examples_are_drawn_by_class_and_all_of_a_small_class():
    labels = torch.tensor([0] * 50 + [1] * 3 + [2] * 20)
    chosen = few_shot.examples(labels, 5, 0, 0)
    assert labels[chosen].bincount().tolist() == [5, 3, 5] and len(set(chosen.tolist())) == 13
    assert torch.equal(chosen, few_shot.examples(labels, 5, 0, 0)) and not torch.equal(
        chosen, few_shot.examples(labels, 5, 0, 1)
    )


def test_more_examples_are_better_and_the_interval_is_over_draws():
    train, test = datasets.load("digits", "train"), datasets.load("digits", "test")
    encoder = SmallAlexNet(1 / 16, 32).eval()
    parts = dict(few_shot.few_shot(encoder, train, test, 0))
    assert [int(name) for name in parts] == list(few_shot.SHOTS)
    top1 = [part.top1 for part in parts.values()]
    assert top1 == sorted(set(top1))
    assert all(part.low < part.top1 < part.high for part in parts.values())
    assert {(part.drawn, part.n) for part in parts.values()} == {(few_shot.DRAWS, len(test))}
