"""The learned text-to-image model: its parametrisation, its network, training that resumes, samples
that do not depend on their batch.
"""

import contextlib
import math
import os
import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from synthlearn.core import deadline, files, graph, rng
from synthlearn.core.errors import CheckpointError, OutOfTime, ParameterError, TrainingDiverged
from synthlearn.data import datasets
from synthlearn.learn import checkpoint
from synthlearn.text2image import Learned, flow, gaussian, learned, noise_levels, norm, unet
from synthlearn.text2image.learned import LearnedOptions
from synthlearn.text2image.sampling import guided
from synthlearn.text2image.unet import UNet

TINY = {
    "data": "digits",
    "per_class": 20,
    "number": 10,
    "base": 8,
    "levels": 2,
    "blocks": 1,
    "updates": 6,
    "batch": 8,
    "steps": 4,
}
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


class Two(torch.nn.Module):
    """Exact velocities of two Gaussians of one mean: that of the caption, and of no caption."""

    def __init__(self, told, free):
        super().__init__()
        self.told, self.free = Exact(0.1, told), Exact(0.1, free)

    def forward(self, x, t, captions):
        return torch.where(
            (captions < 0).view(-1, 1, 1, 1), self.free(x, t, captions), self.told(x, t, captions)
        )


@pytest.mark.parametrize("w", [0.0, 1.0, 2.0])
def test_guidance_in_one_batch_equals_two_calls(w):
    x, captions, network = rng.normal(rng.key("x"), (5, 3, 8, 8)), torch.arange(5), Two(0.5, 1.0)
    told, free = (
        flow.denoiser(network, captions),
        flow.denoiser(network, torch.full_like(captions, -1)),
    )
    expected = guided(told, free, w)(x, 0.8)
    assert torch.allclose(flow.together(network, captions, w)(x, 0.8), expected, atol=1e-6)
    assert not torch.allclose(guided(told, free, w + 1)(x, 0.8), expected, atol=1e-3)


@pytest.mark.parametrize("s", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("w", [1.0, 2.0])
def test_samples_have_the_variance_of_their_law_within_5_percent(s, w):
    """v_c^w·v^(1−w) (gaussian.guided_variance), by the levels and steps that the options have by
    default.
    """
    free = 1.2 * s
    sampler = flow.Sampler(Two(s, free), w != 1, "fp32")
    n, steps = 2000, LearnedOptions().steps
    x = sampler(
        rng.normal(rng.key("noise"), (n, 3, 4, 4)),
        torch.zeros(n, dtype=torch.int64),
        noise_levels(steps, *learned.NOISE),
        w,
    )
    assert float(x.var()) == pytest.approx(
        float(gaussian.guided_variance(torch.tensor(s**2), torch.tensor(free**2), w)), rel=0.05
    )
    assert float(x.mean()) == pytest.approx(0.1, abs=0.02)


def test_the_error_of_the_sampler_falls_with_the_square_of_the_steps():
    """On a line in log σ it is exact, so what is left is of second order: twice the steps, a
    quarter of the error or less, against the same start followed in very many steps.
    """
    sampler = flow.Sampler(Two(0.5, 0.6), False, "fp32")
    noise, captions = rng.normal(rng.key("noise"), (20, 3, 4, 4)), torch.zeros(20).long()

    def sample(steps):
        return sampler(noise, captions, noise_levels(steps, *learned.NOISE))

    exact = sample(2000)
    errors = [float((sample(steps) - exact).abs().mean()) for steps in (15, 30, 60)]
    assert errors[0] < 0.05 and errors[1] < errors[0] / 3 and errors[2] < errors[1] / 3


def test_a_constant_denoised_picture_is_where_the_sampler_ends():
    class Constant(torch.nn.Module):
        def forward(self, x, t, captions):
            return (x - 0.25) / t.view(-1, 1, 1, 1)

    noise = rng.normal(rng.key("noise"), (2, 3, 4, 4))
    out = flow.Sampler(Constant(), False, "fp32")(
        noise, torch.zeros(2).long(), [9.0, 2.0, 0.5, 0.0]
    )
    assert torch.allclose(out, torch.full_like(out, 0.25), atol=1e-5)


def test_the_loss_of_the_exact_velocity_is_its_conditional_variance():
    n, m, s = 4000, 0.2, 0.7
    x = m + s * rng.normal(rng.key("clean"), (n, 1, 4, 4))
    keys = rng.key("keys", torch.arange(n))
    t = rng.normal(rng.fold(keys, 0)).sigmoid().double()
    expected = float(
        (s**2 / ((1 - t) ** 2 * s**2 + t**2)).mean()
    )  # var(ε − x₀ | x_t) of a Gaussian
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

    flow.loss(
        Watch(),
        torch.zeros(5000, 1, 2, 2),
        torch.full((5000,), 7),
        rng.key("some", torch.arange(5000)),
    )
    assert set(seen[0].unique().tolist()) == {-1, 7}
    assert float((seen[0] < 0).double().mean()) == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize(("side", "levels", "patch"), [(8, 1, 1), (8, 3, 1), (32, 2, 2)])
def test_the_network_keeps_the_shape_and_starts_at_zero_velocity(side, levels, patch):
    network = UNet(TEXTS, side, 8, levels, 1, patch).eval()
    x, t, captions = (
        rng.normal(rng.key("x"), (3, 3, side, side)),
        torch.tensor([0.1, 0.5, 0.9]),
        torch.tensor([0, 4, -1]),
    )
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


def test_a_side_that_cannot_be_halved_so_often_is_refused():
    with pytest.raises(ParameterError, match=r"side = 8, levels = 3, patch = 4: side must be"):
        UNet(TEXTS, 8, 8, 3, 1, 4)


def test_the_rate_climbs_stays_and_falls_to_nothing():
    o = flow.Recipe(updates=1000, lr=1.0)
    assert (
        flow.rate(0, o) == pytest.approx(0.01)
        and flow.rate(99, o) == pytest.approx(1)
        and flow.rate(650, o) == pytest.approx(1)
    )
    assert flow.rate(850, o) == pytest.approx(0.5) and flow.rate(999, o) == pytest.approx(1 / 300)


RECIPE = flow.Recipe(base=8, levels=2, blocks=1, updates=6, batch=8)


@pytest.fixture
def digits():
    return datasets.load("digits").first(20)


def train(path, digits, identity="me"):
    flow.train(path, digits.images, digits.labels, TEXTS, RECIPE, identity)
    return files.load_tensors(path)


@pytest.fixture
def graphs(monkeypatch):
    """Graphs on the CPU: work that is captured is not done before it is replayed. The shapes that
    were captured.
    """
    captured = []

    def capture(work):
        outputs = []

        def replay():
            outputs[:] = work()

        captured.append(outputs)
        return outputs, replay

    monkeypatch.setattr(graph, "captures", lambda device: True)
    monkeypatch.setattr(
        graph, "warm_up", lambda work, device: [work() for _ in range(graph.WARM_UP)]
    )
    monkeypatch.setattr(graph, "capture", capture)
    return captured


def test_training_goes_on_to_the_same_bits_when_time_is_over_or_it_is_killed(
    runs, digits, monkeypatch
):
    monkeypatch.setattr(
        flow, "POINTS", 3
    )  # a point of the curve is the mean of two updates, perhaps of two calls
    whole, header = train(runs / "a.safetensors", digits)
    assert len(header["loss"]) == 3 and header["pictures"] == 48 and not list(runs.glob("*.part.*"))
    for done in range(1, 6):  # a call that has no time makes an update
        with pytest.raises(OutOfTime, match=f"{done} of 6 updates are done"), deadline.within(0):
            train(runs / "b.safetensors", digits)
        assert not (runs / "b.safetensors").exists()
    again, second = train(runs / "b.safetensors", digits)
    assert all(torch.equal(whole[k], again[k]) for k in whole) and second["loss"] == header["loss"]

    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    save, stop = checkpoint.save, iter(range(100))

    def killed(*arguments):
        save(*arguments)
        if next(stop) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(runs / "c.safetensors", digits)
    assert (runs / "c.part.safetensors").exists() and not (runs / "c.safetensors").exists()
    with pytest.raises(CheckpointError, match="belongs to another run"):
        train(runs / "c.safetensors", digits, "someone else")
    again, second = train(runs / "c.safetensors", digits)
    assert all(torch.equal(whole[k], again[k]) for k in whole) and second["loss"] == header["loss"]


def test_training_and_sampling_by_graphs_equal_the_plain_ones(runs, digits, graphs, monkeypatch):
    replayed, header = train(runs / "a.safetensors", digits)
    with pytest.raises(OutOfTime), deadline.within(0):
        train(runs / "b.safetensors", digits)
    again, _ = train(runs / "b.safetensors", digits)
    assert len(graphs) == 3  # one for each call
    monkeypatch.setattr(graph, "captures", lambda device: False)
    plain, expected = train(runs / "c.safetensors", digits)
    assert (
        all(torch.equal(plain[k], replayed[k]) and torch.equal(plain[k], again[k]) for k in plain)
        and header["loss"] == expected["loss"]
    )

    network = flow.load(runs / "c.safetensors")[0]
    noise, captions, levels = (
        rng.normal(rng.key("x"), (5, 3, 8, 8)),
        torch.arange(5),
        noise_levels(4, 20.0, 0.02),
    )
    for w in (1.0, 2.0):
        expected = flow.Sampler(network, w != 1, "fp32")(noise, captions, levels, w)
        monkeypatch.setattr(graph, "captures", lambda device: True)
        sampler = flow.Sampler(network, w != 1, "fp32")
        before = len(graphs)
        assert torch.equal(sampler(noise, captions, levels, w), expected)
        assert torch.equal(sampler(noise, captions, levels, w), expected)  # replayed from the start
        assert len(graphs) == before + 1  # one serves every step
        monkeypatch.setattr(graph, "captures", lambda device: False)


def small(device="cpu", precision="fp32"):
    o = flow.Recipe(base=32, levels=3, blocks=1, batch=8, precision=precision)
    network = UNet(TEXTS, 32, o.base, o.levels, o.blocks).to(
        device, memory_format=torch.channels_last
    )
    images, captions = (
        torch.zeros(30, 3, 32, 32, dtype=torch.uint8, device=device),
        torch.zeros(30, dtype=torch.int64, device=device),
    )
    return flow.Training(network, images, captions, o)


def test_an_update_and_a_step_of_the_sampler_read_nothing_back(monkeypatch):
    """Tensors that have shapes and no data go a GPU's way: to read one, or to make a shape depend
    on one, is an error.
    """
    monkeypatch.setattr(
        torch, "autocast", lambda *_, **__: contextlib.nullcontext()
    )  # there is none for such tensors
    training, one = small("meta"), torch.ones((), device="meta")
    monkeypatch.setattr(
        training.optimiser, "step", lambda: None
    )  # torch's fused Adam knows no such tensors; its rate and its counter are tensors
    (total,) = training.update(one.long(), one, one)
    assert total.shape == () and {x.device.type for x in training.changed()} == {"meta"}
    with pytest.raises(RuntimeError):
        float(total)
    network = training.network.eval()
    for two in (False, True):
        sampler = flow.Sampler(network, two, "fp32")
        x, captions = (
            torch.zeros(4, 3, 32, 32, device="meta"),
            torch.zeros(4, dtype=torch.int64, device="meta"),
        )
        scalar = one.double()
        for out in sampler.step(x, x, captions, scalar, scalar, scalar, scalar):
            assert out.shape == (4, 3, 32, 32) and out.dtype == torch.float32


class Layouts(TorchDispatchMode):
    """Notes results that are features of a batch of pictures and not laid out, or not stored, as
    they should be.
    """

    def __init__(self):
        super().__init__()
        self.seen, self.other = 0, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else (out,):
            if (
                isinstance(x, torch.Tensor)
                and x.numel() >= 8 * 32 * 8 * 8
                and x.ndim >= 4
                and x.shape[1] != 3
            ):
                self.seen += 1
                view = any(
                    word in str(function)
                    for word in ("view", "slice", "unbind", "transpose", "permute")
                )
                if "clone" in str(function) or not (
                    view or x.ndim > 4 or x.is_contiguous(memory_format=torch.channels_last)
                ):
                    self.other.append(f"{function} {tuple(x.shape)} {x.stride()}")
        return out


def test_pictures_stay_channels_last_through_an_update_as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(unet, "native", lambda device: False)
    training, one = small(precision="bf16"), torch.ones(())
    training.update(
        one.long(), one, one
    )  # gives closed branches weights, so that all have gradients
    with Layouts() as layouts:
        training.update(one.long(), one, one)
    assert layouts.seen > 200 and layouts.other == []


def test_the_network_is_the_same_by_either_norm(monkeypatch):
    training, one = small(), torch.ones(())
    training.update(one.long(), one, one * 1e-2)
    arguments = (
        rng.normal(rng.key("x"), (3, 3, 32, 32)),
        torch.tensor([0.1, 0.5, 0.9]),
        torch.tensor([0, 4, -1]),
    )
    network = training.network.eval()
    with torch.no_grad():
        expected = network(*arguments)
        monkeypatch.setattr(unet, "native", lambda device: False)
        assert (
            torch.allclose(network(*arguments), expected, atol=1e-4 * float(expected.abs().max()))
            and float(expected.abs().max()) > 0.1
        )


@pytest.mark.parametrize(("channels", "groups", "side"), [(12, 4, 6), (64, 32, 12), (5, 1, 1)])
@pytest.mark.parametrize("rows", [1, 3])  # one weight for all pictures, or one for each
@pytest.mark.parametrize("silu", [False, True])
def test_the_norm_equals_torchs_in_values_and_gradients_and_keeps_the_memory_format(
    channels, groups, side, rows, silu
):
    last = {"memory_format": torch.channels_last}
    x = (
        (2 * rng.normal(rng.key("x"), (3, channels, side, side)) + 3)
        .contiguous(**last)
        .requires_grad_()
    )
    weight, bias = (
        rng.normal(rng.key(name), (rows, channels)).requires_grad_() for name in ("weight", "bias")
    )
    gradient = rng.normal(rng.key("gradient"), tuple(x.shape)).contiguous(**last)
    found = norm.group_norm(x, weight, bias, groups, silu)
    expected = (
        torch.nn.functional.group_norm(x.double(), groups) * weight[:, :, None, None]
        + bias[:, :, None, None]
    )
    expected = torch.nn.functional.silu(expected) if silu else expected
    assert torch.allclose(found.double(), expected, atol=2e-5) and found.is_contiguous(**last)
    inputs = (x, weight, bias)
    found_gradients, gradients = (
        torch.autograd.grad(found, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient.double()),
    )
    for a, b in zip(found_gradients, gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-5 * max(1.0, float(b.abs().max())))
    assert found_gradients[0].is_contiguous(**last)
    rounded = norm.group_norm(x.bfloat16(), weight, bias, groups, silu)
    assert rounded.dtype == torch.bfloat16 and torch.allclose(rounded.double(), expected, atol=0.08)


def test_the_kernels_equal_torchs_norm_in_tritons_interpreter():
    pytest.importorskip("triton")
    arguments = ["-n0", "-p", "no:cacheprovider", __file__, "-k", "test_the_norm_equals_torchs"]
    script = (
        "from synthlearn.text2image import norm; import pytest, sys, torch; "
        f"assert norm.available(torch.device('cpu')); sys.exit(pytest.main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "12 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("channels", [64, 192])
def test_the_kernels_compile_for_a_gpu_that_is_not_there(channels):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    constants = {"SILU": True, **norm.tiles(channels, 32, 1024)}
    for kernel in (norm._forward, norm._backward):
        scalars = (
            dict.fromkeys(("places", "channels", "stride", "groups"), "i32")
            | {"eps": "fp32"}
            | dict.fromkeys(constants, "constexpr")
        )
        pictures = dict.fromkeys(("x", "out", "gradient", "to_x"), "*bf16")
        signature = {
            name: scalars.get(name, pictures.get(name, "*fp32")) for name in kernel.arg_names
        }
        made = triton.compile(
            ASTSource(kernel, signature, constants),
            GPUTarget("cuda", 90, 32),
            {"num_warps": norm.WARPS},
        )
        assert len(made.asm["cubin"]) > 0


def test_averaged_weights_follow_the_closed_form_of_their_recursion(digits):
    training = flow.Training(UNet(TEXTS, 8, 8, 1, 1), digits.images, digits.labels, RECIPE)
    name = "leave.1.weight"
    seen, shares = (
        [training.state[name].clone()],
        [flow.forgotten(step, RECIPE) for step in range(4)],
    )
    for step, share in enumerate(shares):
        training.update(torch.tensor(step), torch.tensor(1e-2), torch.tensor(share))
        seen.append(training.state[name].clone())
    weight = [math.prod(1 - s for s in shares)] + [
        s * math.prod(1 - later for later in shares[i + 1 :]) for i, s in enumerate(shares)
    ]
    expected = sum(w * x for w, x in zip(weight, seen, strict=True))
    assert sum(weight) == pytest.approx(1) and not torch.allclose(seen[-1], expected, atol=1e-4)
    assert torch.allclose(training.averaged[name], expected, atol=1e-7)
    assert torch.equal(training.averaged["tower.tokens"], training.state["tower.tokens"])


def test_a_rate_that_is_too_high_is_named(runs, digits):
    with pytest.raises(TrainingDiverged, match="lower lr"):
        flow.train(
            runs / "a.safetensors",
            digits.images,
            digits.labels,
            TEXTS,
            flow.Recipe(8, 1, 1, 30, 8, 1e6),
            "x",
        )
    assert not list(runs.glob("*.safetensors"))


def test_samples_do_not_depend_on_their_batch_and_follow_seed_caption_and_number(runs):
    source = Learned(**TINY, w=2.0)
    whole = source.sample(range(24), 32)
    assert (
        whole.shape == (24, 3, 32, 32)
        and whole.dtype == torch.uint8
        and len(source.sample([], 32)) == 0
    )
    again = source.sample([17, 3], 32).int()
    assert int((again - whole[[17, 3]].int()).abs().max()) <= 1
    assert source.labels(range(24)).tolist() == [i % 10 for i in range(24)]
    assert not torch.equal(source.sample([3], 32, seed=1)[0], whole[3])
    assert not torch.equal(whole[3], whole[13])  # another sample of the caption
    free = Learned(**TINY, w=0.0)
    assert (
        free.identity() == source.identity() and free.spec() != source.spec()
    )  # one model, sampled in two ways
    assert Learned(**{**TINY, "updates": 7}).identity() != source.identity()
    assert len(list((runs / "models").glob("*.safetensors"))) == 1


def test_the_ratio_of_variances_is_1_for_the_real_law_and_falls_with_the_contrast(
    runs, monkeypatch
):
    source = Learned(**{**TINY, "per_class": 60})
    images, captions = source.real()

    def real(contrast):
        def sample(indices, size, seed, device):
            mine = [images.images[captions.ids == i % 10][i // 10] for i in indices.tolist()]
            return (torch.stack(mine) * contrast).round().byte()

        return sample

    fewest = int(captions.ids.bincount().min())
    for contrast in (1.0, 0.5):
        monkeypatch.setattr(source, "sample", real(contrast))
        assert source.variance_ratio(fewest) == pytest.approx(contrast**2, rel=0.05)


def test_batches_that_graphs_fill_up_give_the_same_pictures(runs, graphs, monkeypatch):
    source = Learned(**TINY, w=2.0)
    source.prepare("cpu")
    learned._sampler.cache_clear()
    graphs.clear()
    filled = source.sample(range(21), 32)
    assert (
        int((source.sample(range(9), 32).int() - filled[:9].int()).abs().max()) <= 1
        and len(graphs) == 2
    )  # of 32 and of 16
    source.sample(range(25), 32)
    assert len(graphs) == 2
    monkeypatch.setattr(graph, "captures", lambda device: False)
    learned._sampler.cache_clear()
    plain = source.sample(range(21), 32)
    assert filled.shape == plain.shape and int((filled.int() - plain.int()).abs().max()) <= 1


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


def test_a_share_of_the_pictures_is_the_captions_real_images(runs):
    """The others are the samples that they would be anyway, and training is not another."""
    plain, half, all_real = (Learned(**TINY, real=share) for share in (0.0, 0.5, 1.0))
    assert plain.path() == half.path() and plain.spec() != half.spec()
    assert "real" not in plain.spec()["options"]  # older records keep their ids
    images, captions = plain.real()
    drawn, mixed, real = (source.sample(range(60), 8) for source in (plain, half, all_real))
    for c in range(10):
        of_caption = images.images[captions.ids == c]
        n = len(of_caption)
        expected = plain.resized(of_caption[torch.arange(6) % n], 8)
        assert torch.equal(real[c::10], expected)
        assert torch.equal(mixed[c::10][1::2], expected[torch.arange(3) % n])
        assert torch.equal(mixed[c::10][::2], drawn[c::10][::2])
    assert torch.equal(half.sample([27, 5], 8), mixed[[27, 5]])
