"""Robustness: classifiers with images mixed into their training, asked corrupted images."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.data import image_set
from synthlearn.measure import corruptions
from synthlearn.measure import robustness as rb

GREY = sl.generator("dead_leaves-squares").sample(range(40), 32)


def flat(per_class=8, seed=0, classes=2):
    """Dark and bright images, a class each, which a classifier learns at once."""
    n = per_class * classes
    labels = torch.arange(n) % classes
    noise = rng.integers(rng.key("test", seed, torch.arange(n)), 0, 60, (3, 32, 32))
    images = (labels[:, None, None, None] * (180 // (classes - 1)) + noise).byte()
    names = tuple("abcdefghij"[:classes])
    return image_set.from_tensor("flat", "train", images, labels, names)


@pytest.fixture(scope="module")
def trained():
    """A classifier of flat images after so many updates that its batch norms know them."""
    return rb.train(flat(), None, epochs=40, seed=0)


def untrained(classes=2):
    encoder = sl.encoders.build("SmallAlexNet", rb.WIDTH, 32, seed=0)
    return rb.Supervised(encoder, {}, classes, 0).eval()


def test_a_shift_is_a_window_of_the_padded_image_mirrored_or_not():
    images = sl.generator("noise-white").sample(range(1), 32).expand(60, -1, -1, -1)
    padded = torch.nn.functional.pad(images[0], (rb.PAD,) * 4)
    windows = {
        (top, left, mirrored): x.flip(2) if mirrored else x
        for top in range(2 * rb.PAD + 1)
        for left in range(2 * rb.PAD + 1)
        for mirrored in (False, True)
        for x in (padded[:, top : top + 32, left : left + 32],)
    }
    seen = set()
    for out in rb.shifted(images, rng.key("test", torch.arange(60))):
        (place,) = (place for place, window in windows.items() if torch.equal(out, window))
        seen.add(place)
    assert len(seen) > 30 and {place[2] for place in seen} == {False, True}
    assert {0, 2 * rb.PAD} <= {place[0] for place in seen}


def test_every_image_is_in_one_severity_and_a_fifth_in_each():
    out = rb.corrupted(GREY, "contrast")
    first = [*corruptions.KINDS].index("contrast")
    for severity in range(1, 6):
        chosen = [i for i in range(40) if (i + first) % 5 == severity - 1]
        assert len(chosen) == 8
        assert torch.equal(out[chosen], corruptions.corrupt(GREY[chosen], "contrast", severity))
    assert [rb.corrupted(GREY[:1], kind).shape[0] for kind in corruptions.KINDS] == [1] * 15


def some_wrong(per_class, seed=2):
    """Images of which a good classifier gets three in four right: other labels are wrong."""
    test = flat(per_class, seed)
    return replace(test, labels=torch.where(torch.arange(len(test)) % 4 < 2, test.labels, 0))


def test_what_changes_nothing_leaves_the_accuracy_of_clean_images(monkeypatch, trained):
    test = some_wrong(10)
    monkeypatch.setattr(rb, "corrupt", lambda images, kind, severity: images)
    parts = dict(rb.robustness(trained, test))
    assert [*parts] == [rb.CORRUPTED, rb.CLEAN, *corruptions.KINDS]
    assert {part.top1 for part in parts.values()} == {parts[rb.CLEAN].top1}
    right = rb.correct(trained, test.images, test.labels)
    assert 0 < int(right.sum()) < len(right)
    assert parts[rb.CORRUPTED].each.tolist() == right.double().tolist()


def test_the_mean_is_that_of_the_kinds_and_of_the_images(trained):
    parts = dict(rb.robustness(trained, some_wrong(10)))
    mean = parts[rb.CORRUPTED]
    kinds = [parts[kind].top1 for kind in corruptions.KINDS]
    assert len(kinds) == 15 and mean.top1 == pytest.approx(sum(kinds) / 15, abs=1e-5)
    assert mean.n == len(mean.each) == 20 and mean.top1 == pytest.approx(mean.each.mean(), abs=1e-6)
    half = 1.96 * mean.each.std(ddof=1) / math.sqrt(20)
    assert mean.high - mean.top1 == pytest.approx(half, rel=1e-3)
    again = rb.Robustness.part(rb.CORRUPTED, mean.to_json())
    assert again == mean and rb.Robustness.part("fog", parts["fog"].to_json()) == parts["fog"]


def test_an_untrained_classifier_is_at_chance_and_a_trained_one_knows_its_images(trained):
    test = flat(100, seed=1)
    start = rb.correct(untrained(), test.images, test.labels).float().mean()
    assert float(start) == pytest.approx(0.5, abs=0.02)  # one answer for all: half of them right
    assert float(rb.correct(trained, test.images, test.labels).float().mean()) > 0.95


def test_answers_do_not_depend_on_the_batch(trained):
    test = some_wrong(9)
    images = torch.cat([test.images, GREY])
    labels = torch.cat([test.labels, torch.zeros(40, dtype=torch.int64)])
    whole = rb.correct(trained, images, labels)
    alone = [rb.correct(trained, images[i : i + 1], labels[i : i + 1]) for i in range(len(images))]
    assert torch.equal(whole, torch.cat(alone)) and 0 < int(whole.sum()) < len(images)


def weights(mix, seed=0):
    return rb.train(flat(), mix, epochs=1, seed=seed).encoder.first_layer


def test_training_is_a_function_of_images_mixing_images_and_seed():
    def mixed(name, **options):
        return weights(sl.data.MixIn(sl.generator(name), images=4, **options))

    plain, white, leaves = weights(None), mixed("noise-white"), mixed("dead_leaves-mixed")
    assert torch.equal(plain, weights(None)) and not torch.equal(plain, weights(None, seed=1))
    assert torch.equal(white, mixed("noise-white"))
    assert not torch.equal(white, plain) and not torch.equal(white, leaves)
    assert torch.equal(plain, mixed("noise-white", rounds=0))  # nothing mixed in is no mixing


def subject(spec):
    """One whose images must be asked for, unless it has none."""

    def source():
        if not spec:
            pytest.fail("asked for images that there are not")
        return sl.generator("noise-white")

    return SimpleNamespace(
        settings=SimpleNamespace(device="cpu", crop=32),
        probe_data=lambda: (flat(), replace(flat(seed=1), split="test")),
        source_spec=lambda: spec,
        source=source,
    )


def test_a_row_without_images_mixes_nothing_in():
    options = rb.RobustnessOptions(images=3, epochs=1, test=4)
    measurement = rb.Robustness(options)
    white = {"generator": "noise-white"}
    plain, mixed = (dict(measurement.parts(subject(spec), 0)) for spec in ({}, white))
    assert plain[rb.CORRUPTED].n == mixed[rb.CORRUPTED].n == 8  # so many of each class
    asked = {"images": 3, "epochs": 1, "test": 4}
    assert measurement.spec_fields(subject({})) == asked
    assert measurement.spec_fields(subject(white)) == {"source": white, **asked}
