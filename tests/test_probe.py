"""The probe against scikit-learn, and its invariances."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from synthlearn import probe, rng, transfer
from synthlearn.datasets import load
from synthlearn.encoders import SmallAlexNet
from synthlearn.errors import CheckpointError, DataError, ParameterError


@pytest.fixture(scope="module")
def toy():
    """Four overlapping classes in 12 correlated dimensions: train, labels, test, labels."""
    mix = rng.normal(rng.key("mix"), (12, 12))

    def draw(split, n):
        y = rng.integers(rng.key("y", split), 0, 4, (n,))
        x = rng.normal(rng.key("x", split), (n, 12))
        x[torch.arange(n), y] += 1.2
        return x @ mix + 3, y

    return *draw(0, 800), *draw(1, 1000)


@pytest.mark.parametrize("l2", [1e-1, 1e-3, 1e-5])
def test_fit_equals_scikit_learns_optimum(toy, l2):
    x, y, test, _ = toy
    problem = probe.Problem(x, y, 4)
    solution = problem.fit(l2)
    z = problem.standardise(x).double().numpy()
    reference = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-8, max_iter=5000).fit(z, y.numpy())
    assert np.allclose((problem.axes @ solution[0]).T, reference.coef_, atol=2e-2 * np.abs(reference.coef_).max() + 2e-3)
    theirs = reference.predict(problem.standardise(test).double().numpy())
    assert (problem.predict(test, solution).numpy() == theirs).mean() > 0.997


def test_a_warm_start_ends_where_a_cold_one_does(toy):
    x, y, _, _ = toy
    problem = probe.Problem(x, y, 4)
    warm = problem.fit(1e-3, problem.fit(1e-1))
    assert torch.allclose(warm[0], problem.fit(1e-3)[0], atol=5e-3)


def test_accuracy_is_invariant_under_scale_shift_and_order_of_dimensions(toy):
    x, y, test, truth = toy
    plain = probe.linear(x, y, test, truth, 4)
    order, scale, shift = torch.randperm(12), torch.rand(12) * 9 + 0.1, torch.randn(12)
    turned = probe.linear(x[:, order] * scale + shift, y, test[:, order] * scale + shift, truth, 4)
    assert plain.l2 == turned.l2 and abs(plain.top1 - turned.top1) <= 0.002


def test_renaming_labels_changes_nothing(toy):
    x, y, test, truth = toy
    assert abs(probe.linear(x, 3 - y, test, 3 - truth, 4).top1 - probe.linear(x, y, test, truth, 4).top1) <= 0.004  # another held-out fifth


def test_constant_features_give_the_majority_class_and_separable_ones_everything():
    y = torch.tensor([0] * 60 + [1] * 40)
    assert probe.linear(torch.ones(100, 3), y, torch.ones(100, 3), y, 2).top1 == 0.6
    x = torch.nn.functional.one_hot(y).float()
    assert probe.linear(x, y, x, y, 2).top1 == 1.0


def test_noise_features_give_chance():
    x, y = torch.randn(1000, 20, generator=torch.Generator().manual_seed(0)), torch.arange(1000) % 4
    found = probe.linear(x[:500], y[:500], x[500:], y[500:], 4)
    assert 0.19 < found.top1 < 0.31


def test_two_runs_are_equal_to_the_bit(toy):
    x, y, test, truth = toy
    assert torch.equal(probe.linear(x, y, test, truth, 4).correct, probe.linear(x, y, test, truth, 4).correct)


def test_test_images_choose_nothing(toy):
    x, y, test, truth = toy
    assert probe.linear(x, y, test[:10], truth[:10], 4).l2 == probe.linear(x, y, test, truth, 4).l2


def test_held_out_part_is_a_stratified_fifth():
    y = torch.arange(10).repeat_interleave(50)
    apart = probe.held_out(y, 0)
    assert y[apart].bincount().tolist() == [10] * 10
    assert not torch.equal(apart, probe.held_out(y, 1)) and torch.equal(apart, probe.held_out(y, 0))


def test_neighbours_equal_a_loop():
    x, y = torch.randn(60, 5), torch.arange(60) % 3
    test, truth = torch.randn(20, 5), torch.arange(20) % 3
    found = probe.neighbours(x, y, test, truth, 3, k=7)
    for i in range(20):
        s = torch.nn.functional.cosine_similarity(test[i][None], x)
        votes = torch.zeros(3)
        for j in s.argsort(descending=True)[:7]:
            votes[y[j]] += torch.exp(s[j] / 0.07)
        assert bool(found.correct[i]) == (int(votes.argmax()) == int(truth[i]))
    assert probe.neighbours(x, y, x, y, 3, k=1).top1 == 1.0


def test_features_do_not_depend_on_the_order_of_extraction():
    encoder, images = SmallAlexNet(0.125, 32), load("digits", "test").images[:60]
    order = torch.randperm(60)
    a, b = probe.features(encoder, images, ("fc6",))["fc6"], probe.features(encoder, images[order], ("fc6",))["fc6"]
    assert torch.allclose(a[order], b, atol=1e-5)


def test_reestimated_statistics_are_the_images_own():
    encoder, images = SmallAlexNet(0.125, 32), load("digits", "train").images[:400]
    fresh = probe.reestimated(encoder, images)
    x = next(iter(probe.batches(encoder, images)))
    response = encoder.conv[0][0](x)
    assert torch.allclose(fresh.conv[0][1].running_mean, response.mean((0, 2, 3)), atol=1e-4)
    assert float(encoder.conv[0][1].running_mean.abs().max()) == 0  # the encoder itself is left alone


def test_centre_view_keeps_the_papers_ratio():
    x = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    x[..., 32] = 255
    assert probe.centre_view(x, 64).shape == (1, 3, 64, 64)
    assert probe.centre_view(x, 64)[0, 0].amax(0).argmax() in (31, 32)


def test_features_that_are_not_finite_name_their_layer():
    encoder, images = SmallAlexNet(1 / 16, 32), load("digits", "test").images[:6]
    encoder.fc6[0].weight.data[0, 0] = torch.inf
    assert probe.features(encoder, images, ("conv5",))["conv5"].shape == (6, 12)
    with pytest.raises(CheckpointError, match="features of the encoder's layer 'fc6' are NaN or infinite"):
        probe.features(encoder, images, ("conv5", "fc6"))


@pytest.mark.parametrize("measure", [probe.linear, probe.neighbours])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": torch.full((6, 2), torch.nan)}, "features hold NaN or infinity"),
        ({"test": torch.full((4, 2), torch.inf)}, "features hold NaN or infinity"),
        ({"train_labels": torch.ones(6).long()}, "all 6 training images are of class 1"),
        ({"train_labels": torch.arange(6)}, "label 2 of 2 classes: must be from 0 to 1"),
        ({"test_labels": torch.arange(4)}, "label 2 of 2 classes"),
        ({"test_labels": -torch.ones(4).long()}, "label -1 of 2 classes"),
        ({"test": torch.zeros(0, 2), "test_labels": torch.zeros(0).long()}, "0 for 0: must agree, with at least 2 for training and 1 for testing"),
    ],
)
def test_what_cannot_be_measured_is_no_number(measure, changes, message):
    good = {"train": torch.eye(2).repeat(3, 1), "train_labels": torch.arange(6) % 2, "test": torch.eye(2).repeat(2, 1), "test_labels": torch.arange(4) % 2}
    assert measure(**good, classes=2).top1 == 1.0
    with pytest.raises(DataError, match=message):
        measure(**{**good, **changes}, classes=2)


def test_no_neighbour_is_refused_and_too_many_are_all():
    x, y = torch.eye(2).repeat(3, 1), torch.arange(6) % 2
    with pytest.raises(ParameterError, match="k = 0: must be at least 1"):
        probe.neighbours(x, y, x, y, 2, k=0)
    assert torch.equal(probe.neighbours(x, y, x, y, 2, k=10**6).correct, probe.neighbours(x, y, x, y, 2, k=6).correct)


def test_one_example_of_each_class_chooses_no_l2_and_the_measurement_says_so(toy):
    x, y, test, truth = toy
    first = torch.stack([torch.nonzero(y == c)[0, 0] for c in range(4)])
    alone = probe.linear(x[first], y[first], test, truth, 4)
    assert alone.l2 == probe.DEFAULT_L2 and "L2 is not chosen but 0.1" in alone.note
    assert transfer.result(alone)["note"] == alone.note
    two = probe.linear(x[:40], y[:40], test, truth, 4)
    assert two.note is None and "note" not in transfer.result(two)


def test_sizes_that_disagree_are_named():
    with pytest.raises(DataError, match="10 features for 9 labels, 4 for 4: must agree"):
        probe.linear(torch.zeros(10, 2), torch.zeros(9).long(), torch.zeros(4, 2), torch.zeros(4).long(), 2)
