"""Methods and their losses against closed forms, loops, torch, and one process against two."""

import math
import socket
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed as dist
from torch.nn import functional

from synthlearn import generator as make_generator
from synthlearn.core import distributed, rng
from synthlearn.core.augment import Augmentation
from synthlearn.core.errors import ParameterError
from synthlearn.learn import methods
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.learn.losses import info_nce, multi_positive, nt_xent, sup_con
from synthlearn.learn.methods import CLIP, METHODS, MoCo, StableRep, StableRepPlus, Supervised
from synthlearn.learn.optimisation import Optimisation
from synthlearn.learn.order import CaptionOrder
from synthlearn.learn.train import Training


def unit(seed, n, d=8):
    return functional.normalize(rng.normal(rng.key("unit", seed), (n, d)), dim=1)


@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 6), seed=st.integers(0, 99), temperature=st.sampled_from([0.1, 0.5, 2.0]))
def test_nt_xent_equals_a_loop_over_anchors(n, seed, temperature):
    x, y = unit(seed, n), unit(seed + 1, n)
    z = torch.cat((x, y)).double()
    total = 0.0
    for i in range(2 * n):
        others = [math.exp(float(z[i] @ z[a]) / temperature) for a in range(2 * n) if a != i]
        total += math.log(sum(others)) - float(z[i] @ z[(i + n) % (2 * n)]) / temperature
    assert float(nt_xent(x, y, temperature)) == pytest.approx(total / (2 * n), rel=1e-4, abs=1e-5)


def test_nt_xent_has_its_closed_forms():
    same = unit(0, 1).repeat(5, 1)
    assert float(nt_xent(same, same)) == pytest.approx(math.log(9), rel=1e-5)
    assert float(nt_xent(unit(1, 5), unit(2, 5), 1e6)) == pytest.approx(math.log(9), rel=1e-4)
    e = torch.eye(5)
    assert float(nt_xent(e, e, 0.3)) == pytest.approx(
        math.log(1 + 8 * math.exp(-1 / 0.3)), rel=1e-4
    )
    assert float(nt_xent(e[:1], e[:1])) == pytest.approx(0, abs=1e-6)
    assert float(nt_xent(e, e.roll(1, 0))) > float(nt_xent(e, e))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 99), temperature=st.sampled_from([0.1, 0.5]))
def test_sup_con_equals_loops_and_out_is_at_least_in(seed, temperature):
    z, labels = unit(seed, 7), rng.integers(rng.key("labels", seed), 0, 3, (7,))
    outs, ins = [], []
    for i in range(7):
        positives = [a for a in range(7) if a != i and labels[a] == labels[i]]
        if positives:
            s = {
                a: math.exp(float(z[i].double() @ z[a].double()) / temperature)
                for a in range(7)
                if a != i
            }
            outs.append(-sum(math.log(s[p] / sum(s.values())) for p in positives) / len(positives))
            ins.append(-math.log(sum(s[p] for p in positives) / len(positives) / sum(s.values())))
    out, inside = (
        float(sup_con(z, labels, temperature)),
        float(sup_con(z, labels, temperature, "in")),
    )
    assert out == pytest.approx(sum(outs) / len(outs), rel=1e-3) and inside == pytest.approx(
        sum(ins) / len(ins), rel=1e-3, abs=1e-5
    )
    assert out >= inside - 1e-5


def test_sup_con_has_its_closed_forms():
    x, y = unit(1, 4), unit(2, 4)
    assert float(sup_con(torch.cat((x, y)), torch.arange(4).repeat(2), 0.2)) == pytest.approx(
        float(nt_xent(x, y, 0.2)), rel=1e-5
    )
    same = unit(3, 1).repeat(6, 1)
    assert float(sup_con(same, torch.zeros(6, dtype=torch.int64))) == pytest.approx(
        math.log(5), rel=1e-5
    )
    classes, c = torch.arange(2).repeat_interleave(3), math.cos(1.0)
    points = torch.tensor([[1.0, 0.0], [c, math.sin(1.0)]])[classes]
    for mean in (
        "out",
        "in",
    ):  # r = 3 rows of each class on a point, N = 6: log((r − 1) + (N − r)·e^{(c − 1)/τ})
        assert float(sup_con(points, classes, 0.5, mean)) == pytest.approx(
            math.log(2 + 3 * math.exp((c - 1) / 0.5)), rel=1e-5
        )
    assert float(sup_con(points, 1 - classes, 0.5)) == pytest.approx(
        float(sup_con(points, classes, 0.5))
    )
    alone = torch.cat((points, unit(5, 1, 2)))
    kept = sup_con(
        alone, torch.tensor([0, 0, 0, 1, 1, 1, 2]), 0.5
    )  # a row without a positive is an other one for the rest, not an anchor
    assert float(kept) > float(sup_con(points, classes, 0.5))


def test_info_nce_has_its_closed_forms():
    q, zero = unit(0, 3), torch.zeros(5, 8)
    assert float(info_nce(torch.zeros(3, 8), torch.zeros(3, 8), zero)) == pytest.approx(math.log(6))
    assert float(info_nce(q, q, zero, 0.2)) == pytest.approx(
        math.log(1 + 5 * math.exp(-1 / 0.2)), rel=1e-4
    )
    k, queue = unit(1, 3), unit(2, 5)
    loop = [
        math.log(sum(math.exp(float(q[i] @ v) / 0.2) for v in (k[i], *queue)))
        - float(q[i] @ k[i]) / 0.2
        for i in range(3)
    ]
    assert float(info_nce(q, k, queue)) == pytest.approx(sum(loop) / 3, rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: nt_xent(x, y),
        lambda x, y: sup_con(torch.cat((x, y)), torch.tensor([0, 1, 0, 2]).repeat(2)),
    ],
)
def test_losses_do_not_see_rotations_order_of_views_or_of_images(loss):
    x, y = unit(1, 4), unit(2, 4)
    turn = torch.linalg.qr(rng.normal(rng.key("turn"), (8, 8)))[0]
    assert float(loss(x @ turn, y @ turn)) == pytest.approx(float(loss(x, y)), rel=1e-4)
    assert float(loss(y, x)) == pytest.approx(float(loss(x, y)), rel=1e-4)
    order = torch.tensor([2, 1, 0, 3])  # keeps the classes
    assert float(loss(x[order], y[order])) == pytest.approx(float(loss(x, y)), rel=1e-4)


def test_wrong_losses_are_named():
    with pytest.raises(ParameterError, match=r"no row has another one of its class"):
        sup_con(unit(0, 3), torch.arange(3))
    with pytest.raises(ParameterError, match=r"mean = 'inside'"):
        sup_con(unit(0, 2), torch.zeros(2, dtype=torch.int64), mean="inside")
    with pytest.raises(ParameterError, match=r"labels of shape \(2,\) for 3 rows"):
        sup_con(unit(0, 3), torch.arange(2))


def small():
    return SmallAlexNet(1 / 16, 32)


def views(n=8, seed=0):
    return torch.cat([rng.normal(rng.key("view", seed, v), (n, 3, 32, 32)) for v in range(2)])


def test_mocos_queue_holds_the_newest_keys_in_order():
    moco = MoCo(small(), {"queue": 20, "group": 4}).train()
    start, written = moco.queue.clone(), []
    for step in range(2):
        q, k = moco.outputs(views(8, step))
        assert not k.requires_grad and q.requires_grad
        moco.loss([q, k])
        assert torch.equal(moco.queue, before := moco.queue.clone())  # not before the update
        moco.after_step([q, k])
        assert not torch.equal(moco.queue, before)
        written.append(k)
    assert torch.equal(moco.queue[:16], torch.cat(written)) and torch.equal(
        moco.queue[16:], start[16:]
    )
    q, k = moco.outputs(views(8, 2))
    moco.after_step([q, k])
    assert (
        torch.equal(moco.queue[16:], k[:4])
        and torch.equal(moco.queue[:4], k[4:])
        and torch.equal(moco.queue[4:16], torch.cat(written)[4:])
    )


def test_mocos_key_encoder_follows_and_gets_no_gradient():
    moco = MoCo(small(), {"momentum": 0.75, "group": 4}).train()
    q0, k0 = moco.encoder.fc8.weight, moco.key_encoder.fc8.weight
    start = q0.detach().clone()
    assert torch.equal(k0, start) and not k0.requires_grad
    steps = []
    for number in (1.0, 2.0):
        with torch.no_grad():
            q0.copy_(start + number)
        steps.append(start + number)
        moco.outputs(views())
    expected = 0.75**2 * start + 0.75 * 0.25 * steps[0] + 0.25 * steps[1]
    assert torch.allclose(k0, expected, atol=1e-6)


def test_supervised_head_starts_at_log_classes_and_learns_a_separable_set():
    method = Supervised(small(), {}, 5)
    with torch.no_grad():
        method.head.weight.zero_()
    value, parts = method.loss(method.outputs(views()[:8]), torch.arange(8) % 5)
    assert float(value.detach()) == pytest.approx(math.log(5), rel=1e-5) and set(parts) == {
        "accuracy"
    }
    colours = torch.tensor([[255, 0, 0], [0, 0, 255]], dtype=torch.uint8)
    images = colours[torch.arange(32) % 2][:, :, None, None].expand(-1, -1, 32, 32).contiguous()
    method = Supervised(small(), {}, 2)
    plain = Augmentation(32, 0.5, jitter_p=0.0, grey_p=0.0)
    labels = torch.arange(32) % 2
    curves = Training(images, method, plain, Optimisation(10, 16, 0.5), labels=labels).run().curves
    assert curves["accuracy"][-1] == 1 and curves["loss"][-1] < 0.3


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_goes_on_where_it_was(name, tmp_path, monkeypatch):
    monkeypatch.setattr("synthlearn.learn.checkpoint.SECONDS", 0.0)
    source = make_generator("fractals-fractaldb", categories=3, points=200)
    images, labels = source.sample(range(24), 32), source.labels(range(24))

    def run(checkpoint=None, stop=None):
        def interrupt(step):
            if step == stop:
                raise KeyboardInterrupt

        options = {
            "moco": {"queue": 16, "group": 4},
            **{key: {"images_per_caption": 2} for key in ("stablerep", "stablerep_plus", "clip")},
        }
        method = METHODS[name](
            small(), options.get(name, {}), 3, texts=("a red cat", "a blue cat", "a dog")
        )
        training = Training(images, method, Augmentation(32), Optimisation(2, 8), labels=labels)
        training.run(checkpoint, "x", on_step=interrupt)
        return method.state_dict()

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c", 4)
    again = run(tmp_path / "c")
    assert all(torch.equal(whole[k], again[k]) for k in whole)


def test_batches_of_captions_deal_every_image_out_once_an_epoch():
    captions = torch.arange(60) % 5
    captions[captions == 4] = 9  # names need not be dense
    order = CaptionOrder(captions, 4, Optimisation(2, 9), 0, torch.device("cpu"))
    assert (order.number, order.rounds, order.at_once, order.per_epoch) == (5, 3, 2, 6)
    for epoch in range(2):
        batches = order.batches(epoch)
        assert len(batches) == 6 and all(len(batch) == 8 for batch in batches)
        for batch in batches:
            groups = captions[batch].view(4, 2)
            assert (
                bool((groups == groups[0]).all()) and groups[0, 0] != groups[0, 1]
            )  # one image of each caption in each of the m parts
            assert len(batch.unique()) == 8
        seen = torch.cat(list(batches))
        assert len(seen.unique()) == len(seen) == 48  # a caption of each round, four images, waits
    assert not torch.equal(order.batches(0)[0], order.batches(1)[0])
    assert torch.equal(
        order.batches(0)[0],
        CaptionOrder(captions, 4, Optimisation(2, 9), 0, torch.device("cpu")).batches(0)[0],
    )
    whole = CaptionOrder(torch.arange(40) % 4, 5, Optimisation(1, 20), 1, torch.device("cpu"))
    assert len(torch.cat(list(whole.batches(0))).unique()) == 40
    with pytest.raises(
        ParameterError, match="6 images per caption: a caption has 5; lower images_per_caption"
    ):
        CaptionOrder(torch.arange(10) % 2, 6, Optimisation(1, 20), 0, torch.device("cpu"))
    with pytest.raises(ParameterError, match="batch_size = 7: holds 1 captions of 5 images each"):
        CaptionOrder(torch.arange(10) % 2, 5, Optimisation(1, 7), 0, torch.device("cpu"))


def test_stablerep_runs_one_image_of_each_caption_at_a_time():
    method, seen = StableRep(small(), {"images_per_caption": 3}, 4), []
    method.encoder.forward = lambda x: seen.append(x) or functional.normalize(x.mean((2, 3)), dim=1)
    batch = rng.normal(rng.key("batch"), (12, 3, 32, 32))
    (z,) = method.outputs(batch)
    assert (
        [len(x) for x in seen] == [4, 4, 4] and torch.equal(torch.cat(seen), batch) and len(z) == 12
    )
    value, parts = method.loss([z], torch.arange(4).repeat(3))
    assert float(value) == pytest.approx(float(multi_positive(z, torch.arange(4).repeat(3), 0.1)))
    assert float(parts["above_floor"]) > 0
    with pytest.raises(ParameterError, match="images_per_caption = 1: must be at least 2"):
        StableRep(small(), {"images_per_caption": 1}, 4)


def test_stablerep_plus_is_stablerep_and_clip():
    texts, labels = ("a red cat", "a blue cat", "a dog", "a bird"), torch.arange(4).repeat(3)
    plus = StableRepPlus(small().train(), {"images_per_caption": 3}, 4, texts=texts)
    clip, plain = (
        CLIP(small().train(), {"images_per_caption": 3}, 4, texts=texts),
        StableRep(small().train(), {"images_per_caption": 3}, 4),
    )
    batch = rng.normal(rng.key("batch"), (12, 3, 32, 32))
    both, parts = plus.loss(plus.outputs(batch), labels)
    text, _ = clip.loss(clip.outputs(batch), labels)
    images, _ = plain.loss(plain.outputs(batch), labels)
    assert float(both.detach()) == pytest.approx(
        float(text.detach()) + float(images.detach()), rel=1e-5
    )
    assert float(parts["text"]) == pytest.approx(float(text.detach()), rel=1e-5)
    norms = [plain.encoder.conv[0][1].running_mean, plus.encoder.conv[0][1].running_mean]
    assert torch.equal(
        *norms
    )  # both run on one image of each caption at a time, and the first alone is remembered
    both.backward()
    assert all(
        p.grad is not None and bool(p.grad.abs().sum() > 0)
        for p in (plus.log_scale, plus.to_text.weight, plus.tower.out.weight)
    )
    with torch.no_grad():
        plus.log_scale.fill_(9.0)
        largest = plus.text_loss(rng.normal(rng.key("u"), (12, 128)), labels)
        plus.log_scale.fill_(math.log(100))
        assert float(largest) == pytest.approx(
            float(plus.text_loss(rng.normal(rng.key("u"), (12, 128)), labels)), rel=1e-5
        )
    with pytest.raises(ParameterError, match="reads captions"):
        CLIP(small(), {}, 4)
    CLIP(
        small(), {"images_per_caption": 1}, 4, texts=texts
    )  # one image of a caption is enough for a text


def test_methods_and_options_that_do_not_exist_are_named():
    with pytest.raises(
        ParameterError, match=r"method = 'byol': must be one of align_uniform, simclr"
    ):
        methods.spec("byol", {})
    with pytest.raises(
        ParameterError, match=r"unknown option 'tau' of method 'simclr': allowed are temperature"
    ):
        methods.spec("simclr", {"tau": 0.1})
    with pytest.raises(
        ParameterError, match=r"option temperature = -1: must be a number from 0.001 to 100"
    ):
        methods.spec("simclr", {"temperature": -1})
    with pytest.raises(ParameterError, match="its pictures have no classes"):
        make_generator("noise-white").labels(range(4))
    with pytest.raises(ParameterError, match="this method needs the classes"):
        Supervised(small())
    options = {"alpha": 2.0, "t": 2.0, "uniform_weight": 3.0}
    assert methods.spec("align_uniform", {"uniform_weight": 3}) == {
        "name": "align_uniform",
        **options,
    }


HUGE = (10**25, 10**400, 1e300, math.nan, math.inf, -math.inf, True, "1", None, [1])


@pytest.mark.parametrize("name", list(METHODS))
def test_options_are_finite_bounded_and_typed(name):
    kinds = METHODS[name].Options
    for option in (field.name for field in fields(kinds) if field.type in (int, float)):
        assert option in kinds.at_least and option in kinds.at_most, f"{option} needs both bounds"
        for value in (kinds.at_least[option] - 1, *HUGE):
            with pytest.raises(
                ParameterError,
                match=rf"^option {option} = .{{1,80}}: must be a (whole )?number from [^\n]*$",
            ):
                methods.spec(name, {option: value})
            with pytest.raises(ParameterError, match=f"^option {option} = "):
                METHODS[name](small(), {option: value}, 3, texts=("a b", "a c"))
    for option in ("name", "self", ""):
        with pytest.raises(ParameterError, match=f"unknown option '{option}' of method"):
            METHODS[name](small(), {option: 1}, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"queue": 0},
        {"queue": 10.5},
        {"group": 0},
        {"group": 0.5},
        {"group": 1},
        {"momentum": 2},
        {"temperature": 0},
        {"temperature": 1e-9},
    ],
)
def test_a_queue_that_cannot_be_is_refused(options):
    (option,) = options
    with pytest.raises(ParameterError, match=f"option {option} = .*: must be a "):
        MoCo(small(), options)


def test_whole_numbers_serve_as_numbers():
    assert (
        methods.spec("simclr", {"temperature": 1})
        == methods.spec("simclr", {"temperature": 1.0})
        == {"name": "simclr", "temperature": 1.0}
    )


def train_each(path):
    """Losses, weights and gradients of every method without a queue, from this process and those
    that it meets."""
    distributed.start()
    images = rng.integers(rng.key("images"), 0, 256, (16, 3, 40, 40)).byte()
    texts = ("a b", "a c", "d b", "d c")
    captioned = ("stablerep", "stablerep_plus", "clip")
    values = {}
    for name in ("align_uniform", "simclr", "supcon", "supervised", *captioned):
        options = {"images_per_caption": 4} if name in captioned else {}
        method = METHODS[name](SmallAlexNet(1 / 16, 32), options, 4, texts=texts)
        settings, labels = Optimisation(1, 16, 0.01), torch.arange(16) % 4
        trained = Training(images, method, Augmentation(32), settings, labels=labels).run()
        values[f"{name} loss"] = torch.tensor(trained.curves["loss"])
        values |= {f"{name} {k}": v for k, v in method.state_dict().items()}
        for k, p in method.named_parameters():
            if p.grad is not None:
                values[f"{name} gradient of {k}"] = p.grad
    if distributed.first():
        values["processes"] = torch.tensor(dist.get_world_size() if dist.is_initialized() else 1)
        torch.save(values, path)


def test_two_processes_give_the_losses_and_gradients_of_one(tmp_path, monkeypatch, fork):
    """Gathered negatives, batch norm and the sum of gradients, for every method without a queue.
    (That ``torchrun`` starts them is tried with the README's commands.)"""
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    train_each(one)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    fellows = []
    for rank in ("0", "1"):
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
        for name, value in {**meeting, "RANK": rank, "LOCAL_RANK": rank}.items():
            monkeypatch.setenv(name, value)
        fellows.append(fork(train_each, two))
    for fellow in fellows:
        fellow.join(200)
    assert [fellow.exitcode for fellow in fellows] == [0, 0]
    a, b = (torch.load(path, weights_only=True) for path in (one, two))
    assert (int(a.pop("processes")), int(b.pop("processes"))) == (1, 2) and a.keys() == b.keys()
    for key, value in a.items():
        assert torch.allclose(
            value.float(),
            b[key].float(),
            rtol=1e-3,
            atol=1e-3 * float(value.float().abs().max()) + 1e-7,
        ), key


def test_batch_statistics_stay_per_view():
    encoder = SmallAlexNet(1 / 16, 32).train()
    method = METHODS["align_uniform"](encoder)
    x, y = views().chunk(2)
    running = encoder.conv[0][1].running_mean.clone()
    method.outputs(torch.cat((x, 5 * y)))
    moved = encoder.conv[0][1].running_mean - running
    encoder.conv[0][1].running_mean.copy_(running)
    method.outputs(torch.cat((x, x)))
    assert torch.equal(
        encoder.conv[0][1].running_mean - running, moved
    )  # the second view leaves no trace
