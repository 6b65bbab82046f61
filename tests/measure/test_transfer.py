"""Further measurements of encoders: few examples, ridge, fine-tuning, layers, and their records."""

import dataclasses
import json

import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from synthlearn.core import rng
from synthlearn.core.errors import DataError
from synthlearn.data import datasets
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import long_tail, probe, transfer
from synthlearn.study import measurements, records, resolve, row


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", "train"), datasets.load("digits", "test")


def features(seed, n, d, classes):
    labels = torch.arange(n) % classes
    return rng.normal(rng.key("f", seed), (n, d)) + 1.5 * rng.normal(rng.key("c"), (classes, d))[
        labels
    ], labels


def test_ridge_is_scikit_learns():
    x, labels = features(0, 60, 20, 4)
    y, truth = features(1, 100, 20, 4)
    standardise = probe.Standardise(x)
    target = 2 * torch.nn.functional.one_hot(labels, 4).double() - 1
    model = Ridge(alpha=1.0).fit(standardise(x).double().numpy() / 20**0.5, target.numpy())
    expected = model.predict(standardise(y).double().numpy() / 20**0.5).argmax(1)
    found = transfer.ridge(x, labels, y, 4)
    assert (found.numpy() == expected).mean() > 0.99 and float(
        (found == truth).double().mean()
    ) > 0.8


def test_nearest_mean_is_scikit_learns_on_unit_features():
    x, labels = features(0, 40, 6, 4)
    y, _ = features(1, 100, 6, 4)
    centroids = normalize(NearestCentroid().fit(normalize(x.numpy()), labels.numpy()).centroids_)
    assert (
        transfer.nearest_mean(x, labels, y, 4).numpy()
        == (normalize(y.numpy()) @ centroids.T).argmax(1)
    ).all()


def test_examples_are_drawn_by_class_and_all_of_a_small_class():
    labels = torch.tensor([0] * 50 + [1] * 3 + [2] * 20)
    chosen = transfer.examples(labels, 5, 0, 0)
    assert labels[chosen].bincount().tolist() == [5, 3, 5] and len(set(chosen.tolist())) == 13
    assert torch.equal(chosen, transfer.examples(labels, 5, 0, 0)) and not torch.equal(
        chosen, transfer.examples(labels, 5, 0, 1)
    )


def test_the_probe_finds_the_same_minimum_from_few_rows_as_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    x, labels = features(
        0, 30, 80, 3
    )  # fewer rows than dimensions: only the axes that the rows span are used
    problem = probe.Problem(x, labels, 3)
    weight, bias = problem.fit(0.05)
    z = probe.Standardise(x)(x)
    reference = LogisticRegression(C=1 / (0.05 * 30), tol=1e-8, max_iter=5000).fit(
        z.numpy(), labels.numpy()
    )
    ours = (z @ (problem.axes @ weight) + bias).softmax(1)
    assert torch.allclose(
        ours.double(), torch.from_numpy(reference.predict_proba(z.numpy())).double(), atol=2e-3
    )


def test_every_layer_is_measured_and_few_examples_get_better(digits):
    encoder = SmallAlexNet(1 / 8, 32).eval()
    found = dict(transfer.layers(encoder, digits[0].first(20), digits[1], 0))
    assert list(found) == list(encoder.taps) and all(
        0.1 < part["low"] < part["top1"] < part["high"] for part in found.values()
    )
    few = dict(transfer.few_shot(encoder, *digits, 0))
    assert few["1"]["top1"] < few["5"]["top1"] < few["10"]["top1"] < few["100"]["top1"]


def test_sets_that_number_their_classes_apart_are_not_measured(digits):
    training, test = (
        digits[0].first(2),
        dataclasses.replace(digits[1].first(2), classes=digits[1].classes[::-1]),
    )
    encoder = SmallAlexNet(1 / 16, 32).eval()
    for parts in (
        transfer.layers(encoder, training, test, 0),
        transfer.few_shot(encoder, training, test, 0),
        transfer.fine_tuning(encoder, training, test, (1,), 0),
    ):
        with pytest.raises(DataError, match="come in another order"):
            next(parts)
    with pytest.raises(DataError, match="come in another order"):
        long_tail.arms(lambda images: images.flatten(1).float(), training, test, 20, None, 0)


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


def test_properties_take_real_images_of_all_classes(runs, monkeypatch):
    digits_ = datasets.load("digits", "test")
    order = digits_.labels.argsort(stable=True)
    lying = dataclasses.replace(digits_, images=digits_.images[order], labels=digits_.labels[order])
    load = datasets.load
    monkeypatch.setattr(
        datasets,
        "load",
        lambda name, split="train", size=None: (
            lying if (name, split) == ("digits", "test") else load(name, split, size)
        ),
    )
    taken = []
    monkeypatch.setattr(
        measurements,
        "compared",
        lambda reference, tap, pictures, test, *rest: taken.append(test) or iter([("x", {})]),
    )
    monkeypatch.setattr(measurements, "_encoder", lambda *a: None)
    p = resolve("smoke", n_images=40)
    next(measurements._properties(row("noise-white"), p, 0))
    wanted = datasets.sample(lying, 80).images
    assert torch.equal(taken[0], measurements.large_enough(wanted, p.crop))


def test_fine_tuning_chooses_no_rate_on_nothing(digits):
    with pytest.raises(DataError, match="no class has two training images to choose the rate on"):
        next(transfer.fine_tuning(SmallAlexNet(0.125, 32), digits[0].first(1), digits[1], (1,), 0))


def test_fine_tuning_beats_chance_and_leaves_the_encoder_alone(digits):
    encoder = SmallAlexNet(1 / 16, 32).eval()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    ((name, part),) = transfer.fine_tuning(encoder, digits[0].first(30), digits[1], (8,), 0)
    assert name == "8 epochs" and part["top1"] > 0.3 and part["lr"] in transfer.RATES
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())


def test_measurements_are_made_once_and_replayed(runs, monkeypatch, tmp_path):
    monkeypatch.setattr(records, "_confirmations", lambda: tmp_path / "confirmed.json")
    p = resolve("smoke")
    first = measurements.measurement("layers", row("random"), p, 0)
    assert (
        measurements.path("layers", row("random"), p, 0).exists()
        and measurements.measurement("layers", row("random"), p, 0) == first
    )
    assert measurements.state("layers", row("random"), p, 0) == "fresh"
    found = measurements.replay("layers", row("random"), p, 0)
    assert found.agrees and found.asked == "to the bit" and "conv1" in found.said
    where = measurements.path("layers", row("random"), p, 0)
    changed = records.read(where)
    part = changed["results"]["conv1"]
    part["top1"] += 0.004
    records.write(where, changed)
    assert not measurements.replay(
        "layers", row("random"), p, 0
    ).agrees  # on one machine every bit counts
    del changed["provenance"]["machine"]
    records.write(where, changed)
    found = measurements.replay("layers", row("random"), p, 0)
    assert found.agrees and found.strict and "nothing is trained" in found.asked
    part["top1"] += 0.004
    records.write(where, changed)
    assert measurements.replay("layers", row("random"), p, 0).word == "DIFFERS"


def test_a_measured_encoder_of_another_machine_is_compared_as_two_encoders_of_a_row(
    runs, monkeypatch, tmp_path
):
    monkeypatch.setattr(records, "_confirmations", lambda: tmp_path / "confirmed.json")
    made = {"top1": 0.5, "n": 1000, "low": 0.47, "high": 0.53}
    monkeypatch.setitem(
        measurements.MEASUREMENTS,
        "layers",
        lambda row, profile, seed: iter([("conv1", dict(made))]),
    )
    trained, p = row("dead_leaves-mixed"), resolve("smoke")
    record = json.loads(json.dumps(measurements.measurement("layers", trained, p, 0)))
    del record["provenance"]["machine"]
    records.write(measurements.path("layers", trained, p, 0), record)
    made["top1"] = 0.53
    assert (
        "decides nothing" in measurements.replay("layers", trained, p, 0).asked
    )  # one encoder of each row is all there is
    committed = [
        {"row": name, "results": {"conv1": {"top1": top1}}}
        for name, top1 in (
            ("real", 0.50),
            ("real", 0.52),
            ("noise-white", 0.3),
            ("noise-white", 0.31),
        )
    ]
    untrained = [{"row": "random", "results": {"conv1": {"top1": top1}}} for top1 in (0.1, 0.9)]
    monkeypatch.setattr(records, "read_all", lambda profile, what: committed + untrained)
    spread = measurements.spread("layers", "conv1", p)
    assert (spread.df, spread.variance) == (2, pytest.approx((2e-4 + 0.5e-4) / 2))
    found = measurements.replay("layers", trained, p, 0)
    assert (
        found.agrees
        and found.asked == "within what two encoders of a row differ by"
        and not found.strict
    )
    made["top1"] = 0.6
    assert (
        measurements.replay("layers", trained, p, 0).word == "DIFFERS"
        and not (tmp_path / "confirmed.json").exists()
    )


def test_committed_measurements_belong_to_the_plans():
    planned = {
        (what, r.name, seed)
        for what in measurements.plans()
        for r, seed in measurements.planned(what, resolve("cpu", data="digits"))
    }
    root = measurements.files.root() / "results" / "measurements" / "cpu"
    committed = {(path.parent.name, *path.stem.rsplit("-s", 1)) for path in root.rglob("*.json")}
    assert {(what, name, int(seed)) for what, name, seed in committed} <= planned
