"""The probe against scikit-learn, and its invariances."""

import copy

import numpy as np
import pytest
import torch
from sklearn import linear_model
from torch._subclasses.fake_tensor import FakeTensorMode

from synthlearn.core import rng
from synthlearn.core.errors import CheckpointError, DataError, ParameterError
from synthlearn.data.datasets import load
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import probe, regression
from synthlearn.measure.regression import CholeskyRegression, LogisticRegression, Standardiser


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
    problem = LogisticRegression(x, y, 4)
    solution = problem.fit(l2)
    z = problem.standardise(x).double().numpy()
    reference = linear_model.LogisticRegression(C=1 / (l2 * len(x)), tol=1e-8, max_iter=5000).fit(
        z, y.numpy()
    )
    assert np.allclose(
        (problem.axes @ solution[0]).T,
        reference.coef_,
        atol=2e-2 * np.abs(reference.coef_).max() + 2e-3,
    )
    theirs = reference.predict(problem.standardise(test).double().numpy())
    assert (problem.predict(test, solution).numpy() == theirs).mean() > 0.997


@pytest.mark.parametrize("way", [LogisticRegression, CholeskyRegression])
def test_a_warm_start_ends_where_a_cold_one_does(toy, way):
    x, y, _, _ = toy
    problem = way(x, y, 4)
    warm = problem.fit(1e-3, problem.fit(1e-1))
    assert torch.allclose(warm[0], problem.fit(1e-3)[0], atol=5e-3)


def drawn(n, d, classes, apart=1.0):
    """Correlated features of classes whose centres lie ``apart``, and their labels."""
    y = torch.arange(2 * n) % classes
    centres, mix = rng.normal(rng.key("centres"), (classes, d)), rng.normal(rng.key("mix"), (d, d))
    return (rng.normal(rng.key("x", d), (2 * n, d)) + apart * centres[y]) @ mix + 3, y


def digits(n):
    """Pixels and labels of the first n training and the first n test images."""
    sets = [load("digits", part) for part in ("train", "test")]
    pixels = torch.cat([probe.raw_pixels(s.images[:n], 8) for s in sets])
    return pixels, torch.cat([s.labels[:n] for s in sets])


def constant(x, y):
    return torch.cat((x, torch.full((len(x), 1), 7.0)), 1), y


def collinear(x, y):
    return torch.cat((x, x + 1e-4 * rng.normal(rng.key("near"), x.shape)), 1), y


# features and labels, half of them to learn from, the rest to test on
PROBLEMS = {
    "overlapping": lambda: drawn(400, 12, 4, 0.5),
    "digits": lambda: digits(300),
    "fewer rows than dimensions": lambda: drawn(60, 90, 3, 0.2),
    "two classes": lambda: drawn(300, 10, 2, 0.3),
    "a constant feature": lambda: constant(*drawn(300, 10, 3, 0.5)),
    "nearly collinear": lambda: collinear(*drawn(300, 8, 3, 0.5)),
    "separable": lambda: drawn(200, 8, 3, 8.0),
    "a hundred classes": lambda: drawn(500, 20, 100),
}


def objective(z, labels, weight, bias, l2):
    log_p = torch.log_softmax(z @ weight.double() + bias.double(), 1)
    penalty = l2 / 2 * weight.double().square().sum()
    return float(penalty - log_p[torch.arange(len(z)), labels].mean())


def scikit_learns(z, labels, l2):
    """Weights and bias of scikit-learn's minimum; it keeps only the difference of two classes."""
    two = len(labels.unique()) == 2
    model = linear_model.LogisticRegression(
        C=(2 if two else 1) / (l2 * len(z)), tol=1e-10, max_iter=20_000
    )
    model.fit(z.numpy(), labels.numpy())
    weight, bias = torch.from_numpy(model.coef_).T, torch.from_numpy(model.intercept_)
    halves = torch.tensor([-0.5, 0.5])
    return (weight * halves, bias * halves) if two else (weight, bias)


@pytest.mark.parametrize("l2", [1e-1, 1e-2, 1e-3])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_way_of_a_gpu_reaches_scikit_learns_minimum(name, l2):
    x, y = PROBLEMS[name]()
    n = len(x) // 2
    problem = CholeskyRegression(x[:n], y[:n], int(y.max()) + 1)
    z, test = (problem.standardise(part).double() for part in (x[:n], x[n:]))
    weight, bias = scikit_learns(z, y[:n], l2)
    solution = problem.fit(l2)
    found, least = objective(z, y[:n], *solution, l2), objective(z, y[:n], weight, bias, l2)
    assert found == pytest.approx(least, rel=1e-6)
    theirs = (test @ weight + bias).argmax(1)
    assert (problem.predict(x[n:], solution) != theirs).double().mean() <= 0.002


@pytest.mark.parametrize("l2", [1e-2, 1e-5])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_way_of_a_gpu_ends_no_higher_than_that_of_a_cpu(name, l2):
    x, y = PROBLEMS[name]()
    x, y = x[: len(x) // 2], y[: len(x) // 2]
    gpu, cpu = (way(x, y, int(y.max()) + 1) for way in (CholeskyRegression, LogisticRegression))
    weight, bias = cpu.fit(l2)
    z = gpu.standardise(x).double()
    theirs = objective(z, y, cpu.axes @ weight, bias, l2)
    assert objective(z, y, *gpu.fit(l2), l2) <= theirs * (1 + 1e-8)


def test_a_fit_on_a_gpu_starts_at_the_solution_that_it_is_given(toy, monkeypatch):
    problem = CholeskyRegression(*toy[:2], 4)
    start = problem.fit(1e-1)
    monkeypatch.setattr(regression, "minimise", lambda value, x: x)
    for found, given in zip(problem.fit(1e-3, start), start, strict=True):
        assert torch.allclose(found, given, atol=1e-6)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_way_of_a_gpu_chooses_the_same_strength_and_classes(name, monkeypatch):
    x, y = PROBLEMS[name]()
    n, classes = len(x) // 2, int(y.max()) + 1
    cpu = probe.linear(x[:n], y[:n], x[n:], y[n:], classes)
    monkeypatch.setattr(probe, "regression_for", CholeskyRegression)
    gpu = probe.linear(x[:n], y[:n], x[n:], y[n:], classes)
    assert gpu.l2 == cpu.l2
    assert (gpu.correct != cpu.correct).double().mean() <= 0.002


def test_the_device_of_the_features_decides_the_way(toy, monkeypatch):
    assert type(regression.regression_for(*toy[:2], 4)) is LogisticRegression
    monkeypatch.setattr(regression, "CholeskyRegression", lambda x, labels, classes: x.device.type)
    with FakeTensorMode():
        assert (
            regression.regression_for(torch.zeros(6, 2, device="cuda"), torch.zeros(6), 2) == "cuda"
        )


def test_a_fit_on_a_gpu_mixes_no_devices_and_reads_nothing_between_two_values(monkeypatch):
    problem = CholeskyRegression(*drawn(20, 5, 3), 3)
    monkeypatch.setattr(regression, "minimise", lambda value, x: x - value(x)[1])
    with FakeTensorMode():
        for name in ("z", "gram", "target"):
            shape = getattr(problem, name).shape
            setattr(problem, name, torch.zeros(shape, dtype=torch.float64, device="cuda"))
        problem.standardise = lambda x: x
        solution = problem.fit(1e-2, problem.fit(1e-1))
        assert problem.predict(torch.zeros(7, 5, device="cuda"), solution).device.type == "cuda"


def test_the_host_reads_twice_an_iteration_of_l_bfgs(monkeypatch):
    """A quadratic: every step of 1 is accepted, so an iteration is one value."""
    scale = torch.linspace(0.5, 2, 50).double().view(10, 5)
    target = rng.normal(rng.key("t"), (10, 5)).double()
    values, reads = [], []
    for name in ("cpu", "__float__", "__bool__", "item", "tolist", "numpy"):

        def counted(x, read=getattr(torch.Tensor, name), name=name):
            reads.append(name)
            return read(x)

        monkeypatch.setattr(torch.Tensor, name, counted)

    def value(x):
        values.append(x)
        return 1 + (scale * (x - target).square()).sum() / 2, scale * (x - target)

    found = regression.minimise(value, torch.zeros_like(target))
    # .numpy() of what .cpu() has brought reads nothing more
    assert len([name for name in reads if name != "numpy"]) == 2 * len(values) and len(values) > 4
    monkeypatch.undo()
    assert torch.allclose(found, target, atol=1e-3)


def test_accuracy_is_invariant_under_scale_shift_and_order_of_dimensions(toy):
    x, y, test, truth = toy
    plain = probe.linear(x, y, test, truth, 4)
    order, scale, shift = torch.randperm(12), torch.rand(12) * 9 + 0.1, torch.randn(12)
    turned = probe.linear(x[:, order] * scale + shift, y, test[:, order] * scale + shift, truth, 4)
    assert plain.l2 == turned.l2 and abs(plain.top1 - turned.top1) <= 0.002


def test_renaming_labels_changes_nothing(toy):
    x, y, test, truth = toy
    assert (
        abs(
            probe.linear(x, 3 - y, test, 3 - truth, 4).top1
            - probe.linear(x, y, test, truth, 4).top1
        )
        <= 0.004
    )  # another held-out fifth


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
    assert torch.equal(
        probe.linear(x, y, test, truth, 4).correct, probe.linear(x, y, test, truth, 4).correct
    )


def test_test_images_choose_nothing(toy):
    x, y, test, truth = toy
    assert probe.linear(x, y, test[:10], truth[:10], 4).l2 == probe.linear(x, y, test, truth, 4).l2


def test_the_probe_finds_the_same_minimum_from_few_rows_as_scikit_learn():
    x, labels = drawn(
        15, 80, 3
    )  # fewer rows than dimensions: only the axes that the rows span are used
    problem = LogisticRegression(x, labels, 3)
    weight, bias = problem.fit(0.05)
    z = Standardiser(x)(x)
    reference = linear_model.LogisticRegression(C=1 / (0.05 * 30), tol=1e-8, max_iter=5000).fit(
        z.numpy(), labels.numpy()
    )
    ours = (z @ (problem.axes @ weight) + bias).softmax(1)
    assert torch.allclose(
        ours.double(), torch.from_numpy(reference.predict_proba(z.numpy())).double(), atol=2e-3
    )


def test_held_out_part_is_a_stratified_fifth():
    y = torch.arange(10).repeat_interleave(50)
    apart = probe.held_out(y, 0)
    assert y[apart].bincount().tolist() == [10] * 10
    assert not torch.equal(apart, probe.held_out(y, 1)) and torch.equal(apart, probe.held_out(y, 0))


def test_neighbours_equal_a_loop():
    x, y = torch.randn(60, 5), torch.arange(60) % 3
    test, truth = torch.randn(20, 5), torch.arange(20) % 3
    found = probe.knn(x, y, test, truth, 3, k=7)
    for i in range(20):
        s = torch.nn.functional.cosine_similarity(test[i][None], x)
        votes = torch.zeros(3)
        for j in s.argsort(descending=True)[:7]:
            votes[y[j]] += torch.exp(s[j] / 0.07)
        assert bool(found.correct[i]) == (int(votes.argmax()) == int(truth[i]))
    assert probe.knn(x, y, x, y, 3, k=1).top1 == 1.0


def test_features_do_not_depend_on_the_order_of_extraction():
    encoder, images = SmallAlexNet(0.125, 32), load("digits", "test").images[:60]
    order = torch.randperm(60)
    a, b = (
        probe.features(encoder, images, ("fc6",))["fc6"],
        probe.features(encoder, images[order], ("fc6",))["fc6"],
    )
    assert torch.allclose(a[order], b, atol=1e-5)


def test_reestimated_statistics_are_the_images_own():
    encoder, images = SmallAlexNet(0.125, 32), load("digits", "train").images[:400]
    fresh = probe.reestimate_batch_norm(encoder, images)
    x = next(iter(probe.batches(encoder, images)))
    response = encoder.conv[0][0](x)
    assert torch.allclose(fresh.conv[0][1].running_mean, response.mean((0, 2, 3)), atol=1e-4)
    assert (
        float(encoder.conv[0][1].running_mean.abs().max()) == 0
    )  # the encoder itself is left alone


def test_reestimated_statistics_are_torchs_plain_average_over_batches():
    """Two batches, and one image left over, which has no variance."""
    encoder = SmallAlexNet(1 / 16, 32)
    images = load("digits", "train").images[torch.arange(1001) % 1000]
    reference = copy.deepcopy(encoder).train()
    norms = [m for m in reference.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None
    with torch.no_grad():
        for x in list(probe.batches(encoder, images))[:2]:
            reference(x)
    found, expected = (
        probe.reestimate_batch_norm(encoder, images).state_dict(),
        reference.state_dict(),
    )
    assert norms and all(map(torch.equal, found.values(), expected.values()))


def test_batches_do_not_depend_on_how_many_images_move_at_once(monkeypatch):
    encoder, images = SmallAlexNet(1 / 16, 32), load("digits", "train").images[:800]
    whole = list(probe.batches(encoder, images))
    monkeypatch.setattr(probe, "SLAB", probe.BATCH)
    apart = list(probe.batches(encoder, images))
    assert [len(x) for x in whole] == [500, 300] and all(map(torch.equal, whole, apart))


def test_centre_view_keeps_the_papers_ratio():
    x = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    x[..., 32] = 255
    assert probe.centre_view(x, 64).shape == (1, 3, 64, 64)
    assert probe.centre_view(x, 64)[0, 0].amax(0).argmax() in (31, 32)


def test_features_that_are_not_finite_name_their_layer():
    encoder, images = SmallAlexNet(1 / 16, 32), load("digits", "test").images[:6]
    encoder.fc6[0].weight.data[0, 0] = torch.inf
    assert probe.features(encoder, images, ("conv5",))["conv5"].shape == (6, 12)
    with pytest.raises(
        CheckpointError, match="features of the encoder's layer 'fc6' are NaN or infinite"
    ):
        probe.features(encoder, images, ("conv5", "fc6"))


@pytest.mark.parametrize("measure", [probe.linear, probe.knn])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": torch.full((6, 2), torch.nan)}, "features hold NaN or infinity"),
        ({"test": torch.full((4, 2), torch.inf)}, "features hold NaN or infinity"),
        ({"train_labels": torch.ones(6).long()}, "all 6 training images are of class 1"),
        ({"train_labels": torch.arange(6)}, "label 2 of 2 classes: must be from 0 to 1"),
        ({"test_labels": torch.arange(4)}, "label 2 of 2 classes"),
        ({"test_labels": -torch.ones(4).long()}, "label -1 of 2 classes"),
        (
            {"test": torch.zeros(0, 2), "test_labels": torch.zeros(0).long()},
            "0 for 0: must agree, with at least 2 for training and 1 for testing",
        ),
    ],
)
def test_what_cannot_be_measured_is_no_number(measure, changes, message):
    good = {
        "train": torch.eye(2).repeat(3, 1),
        "train_labels": torch.arange(6) % 2,
        "test": torch.eye(2).repeat(2, 1),
        "test_labels": torch.arange(4) % 2,
    }
    assert measure(**good, classes=2).top1 == 1.0
    with pytest.raises(DataError, match=message):
        measure(**{**good, **changes}, classes=2)


def test_no_neighbour_is_refused_and_too_many_are_all():
    x, y = torch.eye(2).repeat(3, 1), torch.arange(6) % 2
    with pytest.raises(ParameterError, match="k = 0: must be at least 1"):
        probe.knn(x, y, x, y, 2, k=0)
    assert torch.equal(
        probe.knn(x, y, x, y, 2, k=10**6).correct,
        probe.knn(x, y, x, y, 2, k=6).correct,
    )


def test_one_example_of_each_class_chooses_no_l2_and_the_measurement_says_so(toy):
    x, y, test, truth = toy
    first = torch.stack([torch.nonzero(y == c)[0, 0] for c in range(4)])
    alone = probe.linear(x[first], y[first], test, truth, 4)
    assert alone.l2 == probe.DEFAULT_L2 and "L2 is not chosen but 0.1" in alone.note
    assert probe.summary(alone)["note"] == alone.note
    two = probe.linear(x[:40], y[:40], test, truth, 4)
    assert two.note is None and "note" not in probe.summary(two)


def test_sizes_that_disagree_are_named():
    with pytest.raises(DataError, match="10 features for 9 labels, 4 for 4: must agree"):
        probe.linear(
            torch.zeros(10, 2), torch.zeros(9).long(), torch.zeros(4, 2), torch.zeros(4).long(), 2
        )
