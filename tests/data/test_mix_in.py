"""Mixing a source into images: its law in closed form, number by number, and as a transform."""

import pickle
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.core.vision import torchvision
from synthlearn.data import mix_in

KEYS = rng.key("test", torch.arange(4000))
IMAGES = sl.generator("dead_leaves-squares").sample(range(6), 32)


def white():
    return sl.data.MixIn(sl.generator("noise-white"), images=5)


def test_shares_are_those_of_two_beta_laws():
    for severity in (1.0, 3.0):
        a, b = mix_in.shares(KEYS, severity)
        toward = b >= 0
        assert float(toward.float().mean()) == pytest.approx(0.5, abs=0.03)
        mean = severity / (severity + 1)  # of Beta(β, 1)
        assert float(a[toward].mean()) == pytest.approx(mean, abs=0.02)
        assert float(b[toward].mean()) == pytest.approx(1 - mean, abs=0.02)
        assert float(a[~toward].mean()) == pytest.approx(2 - mean, abs=0.02)
        assert float(b[~toward].mean()) == pytest.approx(mean - 1, abs=0.02)


def test_adding_nothing_and_multiplying_by_mid_grey_change_nothing():
    x, one = IMAGES.float() / 255, torch.ones(6)
    other = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(mix_in.added(x, other, one, 0 * one), x, atol=1e-6)
    grey = torch.full_like(x, 0.5)
    assert torch.allclose(mix_in.multiplied(x, grey, one, 0.7 * one), x, atol=1e-5)
    # whatever is mixed in is symmetric in the two where both have the same weight
    half = 0.5 * one
    assert torch.allclose(
        mix_in.added(x, other, half, half), mix_in.added(other, x, half, half), atol=1e-6
    )


def test_every_change_keeps_the_range_and_changes_something():
    x = IMAGES[0].float() / 255
    for kind in range(mix_in.CHANGES):
        y = mix_in._change(x * 0.9 + 0.05, kind, 0.2, 0.7)
        assert float(y.min()) >= 0 and float(y.max()) <= 1 and not torch.equal(y, x * 0.9 + 0.05)
    assert torch.equal(mix_in._change(mix_in._change(x, 0, 0, 0), 0, 0, 0), x)
    assert len((mix_in._change(x, 3, 0.0, 0) * 3).unique()) <= 4


def test_rounds_are_those_of_the_naive_loop():
    mix, x, keys = white(), IMAGES.float() / 255, KEYS[:6]
    pool = mix.pool(32).float() / 255
    for i in range(6):
        key, out = keys[i : i + 1], x[i : i + 1]
        often = int(rng.integers(rng.fold(key, 0), 0, 5))
        if often and float(rng.uniform(rng.fold(key, 1))) < 0.5:
            out = mix_in.changed(out, rng.fold(key, 2))
        for turn in range(often):
            own = rng.fold(key, 3, turn)
            copy, add = (rng.uniform(own, (2,))[0] < 0.5).tolist()
            which = int(rng.integers(rng.fold(own, 1), 0, 5))
            other = mix_in.changed(x[i : i + 1], rng.fold(own, 2)) if copy else pool[which][None]
            how = mix_in.added if add else mix_in.multiplied
            out = how(out, other, *mix_in.shares(rng.fold(own, 3), 3.0))
        assert torch.allclose(mix.mix(x, keys)[i], out[0], atol=1e-6)


def test_no_round_changes_nothing_and_a_higher_severity_changes_less():
    still = sl.data.MixIn(sl.generator("noise-white"), images=2, rounds=0)
    assert torch.equal(still(IMAGES), IMAGES)
    x = IMAGES.float() / 255
    distance = []
    for severity in (1.0, 10.0, 100.0):
        mix = sl.data.MixIn(sl.generator("noise-white"), images=5, severity=severity)
        # what begins as it is, and is mixed: not the changed copies
        a, b = mix_in.shares(KEYS[:6], severity)
        other = mix.pool(32)[:1].float().expand_as(x) / 255
        distance.append(float((mix_in.added(x, other, a, b) - x).abs().mean()))
    assert distance[0] > distance[1] > distance[2]


def test_numbers_are_counted_whatever_the_batch_and_the_type():
    together, one_by_one = white(), white()
    batch = together(IMAGES)
    assert torch.equal(batch, torch.stack([one_by_one(image) for image in IMAGES]))
    assert not torch.equal(together(IMAGES), batch)  # a second view of each
    again = white()(IMAGES.float() / 255)
    assert again.dtype == torch.float32 and float((again * 255 - batch).abs().max()) <= 0.51


def test_workers_and_epochs_have_numbers_of_their_own(monkeypatch):
    """A worker that is made anew for an epoch counts from 0 again; torch gives it another seed."""

    def of_worker(seed):
        info = None if seed is None else SimpleNamespace(id=0, seed=seed)
        monkeypatch.setattr(mix_in, "get_worker_info", lambda: info)
        return white()(IMAGES)

    alike = [torch.equal(of_worker(a), of_worker(b)) for a, b in ((7, 7), (7, 8), (7, None))]
    assert alike == [True, False, False]


def test_a_source_by_name_is_the_source_and_no_image_is_no_image():
    assert torch.equal(sl.data.MixIn("noise-white", images=5)(IMAGES), white()(IMAGES))
    assert white()(IMAGES[:0]).shape == (0, 3, 32, 32)


def test_pictures_that_are_smaller_than_the_images_are_named():
    digits = sl.data.MixIn(sl.data.source("real", data="digits"), images=3)
    assert digits(IMAGES).shape == IMAGES.shape
    with pytest.raises(ParameterError, match="pictures of real:digits have 32 px, these images 40"):
        digits(torch.zeros(3, 40, 40, dtype=torch.uint8))


def test_it_is_a_transform_among_others_and_picklable():
    from torchvision.transforms import v2

    assert torchvision  # the shim comes first
    mix = white()
    mix(IMAGES)
    copy = pickle.loads(pickle.dumps(mix))
    assert copy.count == 6 and torch.equal(copy(IMAGES), mix(IMAGES))
    steps = v2.Compose([v2.RandomHorizontalFlip(1.0), white(), v2.ToDtype(torch.float32, True)])
    x = steps(IMAGES)
    assert x.shape == IMAGES.shape and float(x.max()) <= 1
    kept = white()(torchvision.tv_tensors.Image(IMAGES))
    assert type(kept) is torchvision.tv_tensors.Image and torch.equal(kept, white()(IMAGES))
    assert type(white()(IMAGES)) is torch.Tensor
    image, label = v2.Compose([white(), v2.RandomHorizontalFlip(0.0)])(IMAGES[0], 7)
    assert label == 7 and torch.equal(image, white()(IMAGES[0]))


def test_what_cannot_be_mixed_says_so():
    for wrong, words in (
        (dict(source="leaves"), "unknown source 'leaves'"),
        (dict(source=None), "source = None: must be a name"),
        (dict(images=0), "images = 0"),
        (dict(rounds=-1), "rounds = -1"),
        (dict(severity=0), "severity = 0"),
    ):
        with pytest.raises(ParameterError, match=words):
            sl.data.MixIn(**{"source": sl.generator("noise-white"), **wrong})
    for value in (-0.5, 2.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match=r"float image .*: must lie in \[0, 1\]"):
            white()(torch.full((3, 8, 8), value))
    for image in (torch.zeros(1, 8, 8), torch.zeros(3, 8, 9), torch.zeros(3, 8, 8).int(), "x"):
        with pytest.raises(ParameterError, match="image of"):
            white()(image)
    picture = Image.new("RGB", (8, 8))
    with pytest.raises(ParameterError, match=r"image of Image: .*; put v2.ToImage\(\) before"):
        white()(picture)
    assert white()(torchvision.transforms.v2.ToImage()(picture)).shape == (3, 8, 8)
