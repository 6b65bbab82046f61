"""The training step without a card: shapes known beforehand, parts of a batch in one pass,
replayed and taken-over steps."""

import contextlib
import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from synthlearn.core import deadline, graph, rng
from synthlearn.core.augment import Augmentation
from synthlearn.core.errors import OutOfTime
from synthlearn.learn import encoders, norms, optimisation
from synthlearn.learn import step as steps
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.learn.losses import uniform, uniform_by_product
from synthlearn.learn.methods import METHODS
from synthlearn.learn.step import UpdateStep
from synthlearn.learn.train import Optimisation, Training

# A torch built for CPUs alone cannot differentiate on a card that is not there; this device too has
# no values.
GPU = "meta"
TEXTS = ("a red cat", "a blue cat", "a dog")
FEW = {"images_per_caption": 4}
OPTIONS = {"moco": {"queue": 32, "group": 4}, "stablerep": FEW, "stablerep_plus": FEW, "clip": FEW}


def pictures(n=24, size=40):
    return rng.integers(rng.key("pictures"), 0, 256, (n, 3, size, size)).byte()


def of(name, seed=0, encoder=None):
    return METHODS[name](
        encoder or SmallAlexNet(1 / 16, 32, seed), OPTIONS.get(name, {}), 3, seed, TEXTS
    )


def tensors(method):
    return [x.detach().clone() for x in (*method.parameters(), *method.buffers())]


def run(name="align_uniform", seed=0, o=None, views=None, images=None, **options):
    method, images = of(name, seed), pictures() if images is None else images
    views, o = views or Augmentation(32), o or Optimisation(2, 12)
    trained = Training(images, method, views, o, seed, torch.arange(len(images)) % 3).run(**options)
    return tensors(method), trained.curves


# Fake tensors on a card that is not there: an operation whose shape depends on values, or that
# reads one back to the host, is an error.
@pytest.mark.parametrize(
    ("name", "optimiser", "variant"),
    [*((name, "sgd", "exact") for name in METHODS), ("clip", "adamw", "linear")],
)
def test_a_step_on_a_gpu_has_known_shapes_and_reads_nothing_back(
    name, optimiser, variant, monkeypatch
):
    method = of(name)
    monkeypatch.setattr(
        nn.Module, "to", lambda self, *told, **more: self
    )  # modules cannot swap fake tensors
    monkeypatch.setattr(
        torch, "autocast", lambda *told, **more: contextlib.nullcontext()
    )  # nor does this device round
    with FakeTensorMode():

        def fake(x):
            return torch.empty(x.shape, dtype=x.dtype, device=GPU)

        for module in method.modules():
            module._parameters.update(
                {
                    k: nn.Parameter(fake(p), p.requires_grad)
                    for k, p in module._parameters.items()
                    if p is not None
                }
            )
            module._buffers.update(
                {k: fake(b) for k, b in module._buffers.items() if b is not None}
            )
        views = Augmentation(32, downsample_p=0.05, variant=variant)
        o = Optimisation(1, 12, optimiser=optimiser)
        update = UpdateStep(method, views, o, torch.device(GPU))
        batch = torch.empty((12, 3, 40, 40), dtype=torch.uint8, device=GPU)
        slots, labels = (
            torch.empty(12, dtype=torch.int64, device=GPU),
            torch.empty(12, dtype=torch.int64, device=GPU),
        )
        keys = torch.empty((), dtype=torch.int64, device=GPU)
        (values,) = update._update(batch, slots, keys, labels if method.labelled else None)
        assert values.shape == (len(update.terms),) and values.device.type == GPU


def test_values_that_a_step_would_read_are_seen_by_that_test():
    with FakeTensorMode():
        x = torch.empty(4, device=GPU)
        for reads in (
            lambda: x[x > 0],
            lambda: torch.nonzero(x),
            lambda: float(x.sum()),
            lambda: bool(x.any()),
        ):
            with pytest.raises(Exception, match=r"nonzero|data-dependent|item|local_scalar|values"):
                reads()


def both_ways(encoder, x, parts, counted):
    """Outputs, gradients and statistics of parts in one pass and one by one."""
    found = []
    for way in (norms.in_one_pass, norms.part_by_part):
        network = copy.deepcopy(encoder)
        out = way(network, x, parts, counted, network.forward)
        (out * rng.normal(rng.key("direction"), tuple(out.shape)).to(out.dtype)).sum().backward()
        found.append(
            (
                out,
                [p.grad for p in network.parameters()],
                list(network.buffers()),
                [type(m) for m in network.modules()],
            )
        )
    return found


@pytest.mark.parametrize(("parts", "counted"), [(2, 1), (4, 1), (4, 4), (1, 1)])
@pytest.mark.parametrize("name", ["SmallAlexNet", "resnet18"])
def test_parts_in_one_pass_are_the_parts_one_by_one(name, parts, counted):
    encoder = encoders.build(name, 1 / 16, 32, 0).double().train()
    x = rng.normal(rng.key("x"), (8, 3, 32, 32)).double() * torch.arange(1, 9).view(
        -1, 1, 1, 1
    )  # parts of other statistics
    (one, gradients, kept, kinds), (each, expected, statistics, before) = both_ways(
        encoder, x, parts, counted
    )
    assert torch.allclose(one, each, rtol=1e-9, atol=1e-12) and kinds == before
    assert all(
        torch.allclose(a, b, rtol=1e-7, atol=1e-10)
        for a, b in zip(gradients, expected, strict=True)
    )
    assert all(
        torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(kept, statistics, strict=True)
    )
    if parts > 1:
        whole = encoder(x)
        assert not torch.allclose(one, whole, atol=1e-6)  # statistics of all would be others


def test_statistics_in_one_pass_are_those_of_a_loop_by_hand():
    norm = nn.BatchNorm2d(3).train()
    x = rng.normal(rng.key("x"), (6, 3, 4, 4)) * 3 + 1
    norms.in_one_pass(norm, x, 3, 2, lambda part: norm(part))
    mean, var = torch.zeros(3), torch.ones(3)
    for part in x.chunk(3)[:2]:
        mean, var = (
            0.9 * mean + 0.1 * part.mean((0, 2, 3)),
            0.9 * var + 0.1 * part.transpose(0, 1).flatten(1).var(1),
        )
    assert torch.allclose(norm.running_mean, mean, atol=1e-6) and torch.allclose(
        norm.running_var, var, atol=1e-6
    )
    assert int(norm.num_batches_tracked) == 2


def test_uniformity_by_a_product_is_that_of_pairs():
    x = nn.functional.normalize(rng.normal(rng.key("x"), (20, 8)), dim=1)
    x[3] = x[4]  # a pair at no distance
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    for t in (0.5, 2.0, 8.0):
        one, other = uniform(a, t), uniform_by_product(b, t)
        assert float(one) == pytest.approx(float(other), abs=2e-6)
        # gradients along the sphere, which is where rows move
        g, h = (torch.autograd.grad(value, z)[0] for value, z in ((one, a), (other, b)))
        along = [v - (v * x).sum(1, keepdim=True) * x for v in (g, h)]
        assert torch.allclose(*along, atol=1e-5)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The path of a GPU on this processor: static inputs, calls before a capture, replays, one step
    for runs of one form."""
    calls = {"captures": 0, "replays": 0}

    def capture(work):
        calls["captures"] += 1
        outputs = work()  # a capture runs nothing, so what this call changes is put back
        return outputs, lambda: (
            calls.__setitem__("replays", calls["replays"] + 1),
            [o.copy_(n) for o, n in zip(outputs, work(), strict=True)],
        )

    def unchanged(self, static, captured=graph.Replayed._capture):
        before = [x.clone() for x in self.state()]
        found = captured(self, static)
        with torch.no_grad():
            for x, value in zip(self.state(), before, strict=True):
                x.copy_(value)
        return found

    monkeypatch.setattr(graph, "captures", lambda device: True)
    monkeypatch.setattr(
        graph, "warm_up", lambda work, device: [work() for _ in range(graph.WARM_UP)]
    )
    monkeypatch.setattr(graph, "capture", capture)
    monkeypatch.setattr(graph.Replayed, "_capture", unchanged)
    monkeypatch.setattr(steps, "_is_shared", lambda device: True)
    monkeypatch.setattr(steps, "_last", [])
    # an optimiser that makes its state at the first step has none to put back
    monkeypatch.setattr(
        Optimisation, "build", lambda self, ps, of=Optimisation.build: primed(self, of(self, ps))
    )
    return calls


def primed(o, optimiser):
    for group in optimiser.param_groups:
        for p in group["params"]:
            optimiser.state[p] = o.initial_state(p)
    return optimiser


@pytest.mark.parametrize(
    ("name", "optimiser"), [*((name, "sgd") for name in METHODS), ("clip", "adamw")]
)
def test_a_replayed_run_is_the_plain_one_to_the_bit(name, optimiser, request):
    o = Optimisation(
        2, 10 if name == "align_uniform" else 12, optimiser=optimiser, lr=0.01
    )  # 24 = 10 + 10 + 4: a graph for each size
    plain, curves = run(name, o=o)
    calls = request.getfixturevalue("as_on_a_gpu")
    found, again = run(name, o=o)
    assert calls["captures"] == (2 if name == "align_uniform" else 1) and calls["replays"] >= 4
    assert curves == again and all(torch.equal(a, b) for a, b in zip(plain, found, strict=True))


def test_a_run_takes_the_last_ones_graphs_over_and_leaves_its_encoder_alone(as_on_a_gpu):
    first, second = of("simclr"), of("simclr", 1)
    o = Optimisation(2, 12)
    Training(pictures(), first, Augmentation(32), o).run()
    kept, captures = tensors(first), as_on_a_gpu["captures"]
    Training(pictures(), second, Augmentation(32), o, 1).run()
    assert as_on_a_gpu["captures"] == captures == 1
    assert all(torch.equal(a, b) for a, b in zip(kept, tensors(first), strict=True))
    other = of("simclr", 2)
    # other views: another graph
    Training(pictures(), other, Augmentation(32, jitter=0.1), o, 1).run()
    assert as_on_a_gpu["captures"] == 2


@pytest.mark.parametrize("name", ["simclr", "moco", "stablerep_plus"])
def test_a_run_after_another_is_the_run_alone_to_the_bit(name, as_on_a_gpu):
    alone, curves = run(name, 1)
    steps._last.clear()
    run(name, 0)
    after, again = run(name, 1)
    assert curves == again and all(torch.equal(a, b) for a, b in zip(alone, after, strict=True))


def test_a_capture_that_fails_is_said_and_the_run_goes_on(as_on_a_gpu, monkeypatch, capsys):
    def fails(work):
        raise RuntimeError("operation not permitted when stream is capturing")

    whole, curves = run()
    steps._last.clear()
    monkeypatch.setattr(graph, "capture", fails)
    found, again = run()
    assert curves == again and all(torch.equal(a, b) for a, b in zip(whole, found, strict=True))
    assert "warning: no CUDA graph (operation not permitted" in capsys.readouterr().err


def test_the_time_is_over_after_a_step_and_the_next_call_goes_on(tmp_path):
    whole, curves = run()
    for number in range(1, 4):
        with (
            deadline.within(0),
            pytest.raises(OutOfTime, match=rf"after {number} of 4 updates, which are kept"),
        ):
            run(checkpoint=tmp_path / "c", identity="x")
    found, again = run(checkpoint=tmp_path / "c", identity="x")
    assert curves == again and all(torch.equal(a, b) for a, b in zip(whole, found, strict=True))
    with deadline.within(0):
        run()  # what keeps nothing cannot go on: it is not stopped


def test_deadlines_nest():
    assert not deadline.passed() and deadline.left() > 1e9
    with deadline.within(100):
        with deadline.within(0):
            assert deadline.passed()
        assert 0 < deadline.left() <= 100


def test_the_views_of_a_gpu_train_as_those_of_a_cpu(monkeypatch):
    _, curves = run()
    monkeypatch.setattr(
        Augmentation, "__call__", lambda self, *told: self.by_tensors(*told, subsets=False)
    )
    _, again = run()
    assert all(
        a == pytest.approx(b, abs=2e-4) for a, b in zip(curves["loss"], again["loss"], strict=True)
    )


def test_one_pass_trains_as_passes_one_by_one(monkeypatch):
    """What a GPU does: the same run up to rounding, for every method with several parts."""
    for name in ("align_uniform", "moco", "stablerep"):
        losses = []
        for way in (norms.part_by_part, norms.in_one_pass):
            monkeypatch.setattr(norms, "part_by_part", way)
            losses.append(run(name, o=Optimisation(1, 12))[1]["loss"])
        assert losses[0] == pytest.approx(losses[1], rel=1e-3), name


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_fused_optimiser_with_its_rate_in_a_tensor_steps_as_the_plain_one(optimiser):
    """What a GPU uses, with its state made beforehand and the rate changed in place."""
    o = Optimisation(1, 16, optimiser=optimiser, weight_decay=0.1)
    start = [rng.normal(rng.key("weights", i), shape) for i, shape in enumerate([(4, 3), (5,)])]
    plain, fused = ([nn.Parameter(x.clone()) for x in start] for _ in range(2))
    one, rate = o.build(plain), torch.zeros(())
    settings = {"lr": rate, "weight_decay": 0.1, "fused": True}
    decayed = [
        {"params": fused[:1]},
        {"params": fused[1:], "weight_decay": 0.1 if optimiser == "sgd" else 0.0},
    ]
    other = (
        torch.optim.SGD(decayed, momentum=optimisation.MOMENTUM, **settings)
        if optimiser == "sgd"
        else torch.optim.AdamW(decayed, betas=optimisation.BETAS, **settings)
    )
    primed(o, other)
    for step in range(3):
        for p, q in zip(plain, fused, strict=True):
            p.grad = rng.normal(rng.key("gradient", step, p.ndim), tuple(p.shape))
            q.grad = p.grad.clone()
        for group in one.param_groups:
            group["lr"] = 0.1 * (step + 1)
        rate.fill_(0.1 * (step + 1))
        one.step()
        other.step()
        assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(plain, fused, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", list(METHODS))
def test_a_card_replays_what_it_computes_step_by_step_and_never_waits(name, monkeypatch):
    images, o = pictures().cuda(), Optimisation(3, 12)
    _, replayed = run(name, o=o, images=images)
    monkeypatch.setattr(graph, "captures", lambda device: False)
    _, plain = run(name, o=o, images=images)
    assert replayed["loss"] == pytest.approx(plain["loss"], rel=1e-2)
    monkeypatch.undo()
    update = UpdateStep(of(name).cuda(), Augmentation(32), o, torch.device("cuda"))
    slots, keys = torch.arange(12, device="cuda"), rng.key("views", 0, 0, device="cuda")
    labels = slots % 3 if update.method.labelled else None
    update(images[:12], slots, keys, labels, 0.1)  # captures
    batch = images[12:].clone()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            update(batch, slots, keys, labels, 0.1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
