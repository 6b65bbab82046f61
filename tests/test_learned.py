"""The learned text-to-image model: its parametrisation, its network, training that resumes, samples that do not depend on their batch."""

import math

import pytest
import torch

from synthlearn import datasets, files, rng
from synthlearn.errors import CheckpointError, ParameterError, TrainingDiverged
from synthlearn.text2image import Learned, flow
from synthlearn.text2image.unet import UNet

TINY = {"data": "digits", "per_class": 20, "number": 10, "base": 8, "levels": 2, "blocks": 1, "updates": 6, "batch": 8, "steps": 4}
TEXTS = tuple(f"a digit {k}" for k in range(10))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path))
    return tmp_path


class Exact(torch.nn.Module):
    """The velocity of one Gaussian, N(m, s²), in closed form: E[ε − x₀ | x_t]."""

    def __init__(self, m, s):
        super().__init__()
        self.m, self.s = m, s

    def forward(self, x, t, captions):
        t = t.view(-1, 1, 1, 1)
        variance = (1 - t) ** 2 * self.s**2 + t**2
        return (t - (1 - t) * self.s**2) / variance * (x - (1 - t) * self.m) - self.m


def test_the_denoiser_of_an_exact_velocity_is_the_posterior_mean():
    x = rng.normal(rng.key("x"), (5, 3, 4, 4))
    for noise in (0.01, 0.7, 30.0):
        found = flow.denoiser(Exact(0.3, 0.5), torch.zeros(5, dtype=torch.int64))(x, noise)
        expected = 0.3 + 0.25 / (0.25 + noise**2) * (x - 0.3)
        assert torch.allclose(found, expected, atol=1e-4)


def test_the_loss_of_the_exact_velocity_is_its_conditional_variance():
    n, m, s = 4000, 0.2, 0.7
    x = m + s * rng.normal(rng.key("clean"), (n, 1, 4, 4))
    keys = rng.key("keys", torch.arange(n))
    t = rng.normal(rng.fold(keys, 0)).sigmoid().double()
    expected = float((s**2 / ((1 - t) ** 2 * s**2 + t**2)).mean())  # var(ε − x₀ | x_t) of a Gaussian
    captions = torch.zeros(n, dtype=torch.int64)
    assert float(flow.loss(Exact(m, s), x, captions, keys)) == pytest.approx(expected, rel=0.02)
    worse = float(flow.loss(Exact(m + 0.3, s), x, captions, keys))
    assert worse > expected * 1.02


def test_captions_are_withheld_from_a_tenth():
    seen = []

    class Watch(torch.nn.Module):
        def forward(self, x, t, captions):
            seen.append(captions)
            return x

    flow.loss(Watch(), torch.zeros(5000, 1, 2, 2), torch.full((5000,), 7), rng.key("some", torch.arange(5000)))
    assert set(seen[0].unique().tolist()) == {-1, 7}
    assert float((seen[0] < 0).double().mean()) == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize(("side", "levels"), [(8, 1), (8, 3), (32, 2)])
def test_the_network_keeps_the_shape_and_starts_at_zero_velocity(side, levels):
    network = UNet(TEXTS, side, 8, levels, 1).eval()
    x, t, captions = rng.normal(rng.key("x"), (3, 3, side, side)), torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0, 4, -1])
    out = network(x, t, captions)
    assert out.shape == x.shape and bool((out == 0).all())  # the last convolution starts at 0
    with torch.no_grad():
        for module in network.modules():
            if getattr(module, "zero", False):
                module.weight.copy_(rng.normal(rng.key("w"), tuple(module.weight.shape)) * 0.1)
    out = network(x, t, captions)
    assert torch.allclose(network(x[1:2], t[1:2], captions[1:2])[0], out[1], atol=1e-5)
    assert not torch.allclose(network(x, t, torch.tensor([1, 4, -1]))[0], out[0], atol=1e-5)
    assert not torch.allclose(network(x, t + 0.05, captions), out, atol=1e-5)


def test_the_rate_climbs_stays_and_falls_to_nothing():
    o = flow.Recipe(updates=1000, lr=1.0)
    assert flow.rate(0, o) == pytest.approx(0.01) and flow.rate(99, o) == pytest.approx(1) and flow.rate(650, o) == pytest.approx(1)
    assert flow.rate(850, o) == pytest.approx(0.5) and flow.rate(999, o) == pytest.approx(1 / 300)


def test_training_resumes_to_the_bit_and_leaves_no_checkpoint(runs, monkeypatch):
    monkeypatch.setattr(flow, "CHECKPOINT_SECONDS", 0.0)
    images = datasets.load("digits").first(20)
    o, captions = flow.Recipe(base=8, levels=2, blocks=1, updates=6, batch=8), images.labels

    def train(path):
        flow.train(path, images.images, captions, TEXTS, o, "me")
        return files.load_tensors(path)

    whole, header = train(runs / "a.safetensors")
    assert len(header["loss"]) == 6 and header["pictures"] == 48 and not list(runs.glob("*.part.*"))
    saved, stop = flow._save, iter(range(100))

    def interrupt(*arguments):
        saved(*arguments)
        if next(stop) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(flow, "_save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(runs / "b.safetensors")
    assert (runs / "b.part.safetensors").exists() and not (runs / "b.safetensors").exists()
    monkeypatch.setattr(flow, "_save", saved)
    again, second = train(runs / "b.safetensors")
    assert all(torch.equal(whole[k], again[k]) for k in whole) and second["loss"] == header["loss"]
    monkeypatch.setattr(flow, "_save", interrupt)
    stop = iter((2, 3))
    with pytest.raises(KeyboardInterrupt):
        train(runs / "c.safetensors")
    with pytest.raises(CheckpointError, match="belongs to another model"):
        flow.train(runs / "c.safetensors", images.images, captions, TEXTS, o, "someone else")


def test_a_rate_that_is_too_high_is_named(runs):
    images = datasets.load("digits").first(20)
    with pytest.raises(TrainingDiverged, match="lower lr"):
        flow.train(runs / "a.safetensors", images.images, images.labels, TEXTS, flow.Recipe(8, 1, 1, 30, 8, 1e6), "x")
    assert not list(runs.glob("*.safetensors"))


def test_samples_do_not_depend_on_their_batch_and_follow_seed_caption_and_number(runs):
    source = Learned(**TINY, w=2.0)
    whole = source.sample(range(24), 32)
    assert whole.shape == (24, 3, 32, 32) and whole.dtype == torch.uint8 and len(source.sample([], 32)) == 0
    again = source.sample([17, 3], 32).int()
    assert int((again - whole[[17, 3]].int()).abs().max()) <= 1
    assert source.labels(range(24)).tolist() == [i % 10 for i in range(24)]
    assert not torch.equal(source.sample([3], 32, seed=1)[0], whole[3])
    assert not torch.equal(whole[3], whole[13])  # another sample of the caption
    free = Learned(**TINY, w=0.0)
    assert free.identity() == source.identity() and free.spec() != source.spec()  # one model, sampled in two ways
    assert Learned(**{**TINY, "updates": 7}).identity() != source.identity()
    assert len(list((runs / "models").glob("*.safetensors"))) == 1


def test_bad_options_and_foreign_files_are_named(runs):
    for options, message in (
        ({"w": -1.0}, "option w = -1.0: must be a number from 0 to 1000"),
        ({"steps": 1}, "option steps = 1: must be a whole number from 2 to 1,000"),
        ({"levels": 5}, "option levels = 5: must be a whole number from 1 to 4"),
        ({"base": 0}, "option base = 0: must be a whole number from 4 to 1,024"),
        ({"precision": "fp16"}, "option precision = 'fp16': must be one of 'fp32', 'bf16'"),
        ({"told": "all"}, "told"),
        ({"steps": 1001}, "option steps = 1001: must be a whole number from 2 to 1,000"),
        ({"steps": 10.5}, "option steps = 10.5: must be a whole number"),
        ({"updates": 10**25}, "option updates = 1"),
        ({"lr": math.nan}, "option lr = nan: must be a number"),
        ({"batch": True}, "option batch = True: must be a whole number"),
    ):
        with pytest.raises(ParameterError, match=message):
            Learned(**{**TINY, **options})
    files.save_tensors(runs / "x.safetensors", {"a": torch.zeros(1)}, {"kind": "pool"})
    with pytest.raises(CheckpointError, match="holds no text-to-image model"):
        flow.load(runs / "x.safetensors")
    for recipe in ([], {"base": 0}, {"width": 2}, {"levels": "3"}, None):
        header = {"kind": "text2image", "recipe": recipe, "texts": ["a"], "side": 8}
        files.save_tensors(runs / "x.safetensors", {"a": torch.zeros(1)}, header)
        with pytest.raises(CheckpointError, match="its header describes no text-to-image model"):
            flow.load(runs / "x.safetensors")
    assert math.isfinite(flow.rate(0, flow.Recipe(updates=1)))
