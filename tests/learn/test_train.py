"""The training loop: resumed runs, killed runs, damaged checkpoints, full disks."""

import dataclasses
import math
import resource
import signal
import time

import pytest
import torch

from synthlearn.core import files
from synthlearn.core.augment import Augmentation
from synthlearn.core.errors import CheckpointError, DataError, ParameterError, TrainingDiverged
from synthlearn.learn import checkpoint
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.learn.methods import AlignUniform
from synthlearn.learn.optimisation import Optimisation, learning_rate
from synthlearn.learn.order import Order
from synthlearn.learn.train import Training

SETTINGS = Optimisation(epochs=3, batch_size=16)


@pytest.fixture(scope="module")
def images():
    import synthlearn as sl

    return sl.generator("noise-white").sample(range(40), 40)


def run(images, seed=0, o=SETTINGS, **options):
    encoder = SmallAlexNet(1 / 16, 32, seed)
    training = Training(images, AlignUniform(encoder), Augmentation(32), o, seed)
    trained = training.run(**options)
    return encoder, trained


def same(a, b):
    return all(
        torch.equal(x, y)
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


class StopError(Exception):
    """Ends a run from inside."""


def stop_at(step):
    def hook(done):
        if done == step:
            raise StopError

    return hook


@pytest.mark.parametrize(("step", "optimiser"), [(1, "sgd"), (4, "sgd"), (5, "sgd"), (4, "adamw")])
def test_resumed_equals_uninterrupted_to_the_bit(images, tmp_path, monkeypatch, step, optimiser):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    o = dataclasses.replace(SETTINGS, optimiser=optimiser, lr=0.01)
    whole, reference = run(images, o=o)
    with pytest.raises(StopError):
        run(images, o=o, checkpoint=tmp_path / "c", identity="x", on_step=stop_at(step))
    again, trained = run(images, o=o, checkpoint=tmp_path / "c", identity="x")
    assert same(whole, again) and trained.curves == reference.curves and trained.resumed == 1
    assert (tmp_path / "c").exists()  # the caller's to remove, once the encoder is in a safe place


def test_adamw_decays_matrices_alone_and_a_spec_names_the_optimisers_constant():
    encoder = SmallAlexNet(1 / 16, 32)
    optimiser = Optimisation(1, 16, optimiser="adamw", weight_decay=0.1).build(encoder.parameters())
    decayed, free = (group["params"] for group in optimiser.param_groups)
    assert (
        {p.ndim for p in free} == {1}
        and min(p.ndim for p in decayed) == 2
        and len(decayed) + len(free) == len(list(encoder.parameters()))
    )
    assert [group["weight_decay"] for group in optimiser.param_groups] == [
        0.1,
        0.0,
    ] and optimiser.defaults["betas"] == (0.9, 0.98)
    assert SETTINGS.spec()["optimiser"] == "sgd" and SETTINGS.spec()["momentum"] == 0.9
    assert dataclasses.replace(SETTINGS, optimiser="adamw").spec()["betas"] == (0.9, 0.98)


def test_steps_count_a_last_batch_of_two_or_more():
    assert [SETTINGS.steps_per_epoch(n) for n in (32, 33, 34, 40)] == [2, 2, 3, 3]


def test_images_that_fill_no_batch_wait_for_another_epoch():
    whole = dataclasses.replace(SETTINGS, last_batch="waits")
    assert [whole.steps_per_epoch(n) for n in (32, 33, 34, 47)] == [2] * 4
    order = Order(40, whole, 0, torch.device("cpu"))
    steps = list(order.plan(range(12)))
    assert all(len(slots) == 16 for _, _, slots in steps) and [epoch for _, epoch, _ in steps] == [
        e for e in range(6) for _ in range(2)
    ]
    assert (
        len(torch.cat([slots for _, _, slots in steps]).unique()) == 40
    )  # others wait in every epoch
    assert all(
        len(torch.cat([slots for _, e, slots in steps if e == epoch]).unique()) == 32
        for epoch in range(6)
    )
    with pytest.raises(
        ParameterError,
        match="batch_size = 16: no batch of it in 15 images; lower it or raise n_images",
    ):
        Order(15, whole, 0, torch.device("cpu"))
    assert [o.spec()["last_batch"] for o in (SETTINGS, whole)] == ["kept", "waits"]


def test_seeds_give_other_runs_and_the_same_seed_the_same(images):
    assert same(run(images)[0], run(images)[0]) and not same(run(images)[0], run(images, 1)[0])


def test_curves_have_at_most_200_points_and_end_at_the_last_step(images):
    _, trained = run(images)
    assert trained.curves["step"][-1] == 9 and set(trained.curves) == {
        "step",
        "loss",
        "align",
        "uniform",
    }
    assert all(
        abs(a + u - loss) < 1e-4
        for loss, a, u in zip(
            *(trained.curves[k] for k in ("loss", "align", "uniform")), strict=True
        )
    )


def test_half_precision_is_the_networks_and_rounds_views_once(images, monkeypatch):
    seen = []
    augmentation, call = Augmentation(32), Augmentation.__call__
    monkeypatch.setattr(
        Augmentation,
        "__call__",
        lambda self, *told: seen.append((told, call(self, *told))) or seen[-1][1],
    )
    method = AlignUniform(SmallAlexNet(1 / 16, 32))
    o = Optimisation(1, 16, precision="bf16")
    curves = Training(images, method, augmentation, o).run(until=2).curves
    assert len(seen) == 2  # both views of a batch in one call
    for (pictures, keys, _), x in seen:
        assert x.dtype == torch.bfloat16 and torch.equal(
            x, call(augmentation, pictures, keys).bfloat16()
        )
    assert all(math.isfinite(loss) for loss in curves["loss"])


def test_replay_of_the_start_meets_the_recorded_curve(images):
    _, whole = run(images)
    _, start = run(images, until=4)
    assert start.curves["loss"] == whole.curves["loss"][:4]


def test_one_cycle_climbs_for_a_fifth_and_ends_near_zero():
    o = Optimisation(10, 256)
    rates = [learning_rate(s, 100, o) for s in range(100)]
    assert (
        max(rates) == pytest.approx(0.12)
        and rates.index(max(rates)) in (19, 20)
        and rates[-1] < 1e-3
    )
    assert rates[:20] == sorted(rates[:20]) and rates[20:] == sorted(rates[20:], reverse=True)


def test_step_schedule_is_the_papers():
    o = Optimisation(200, 768, schedule="step")
    assert [learning_rate(e * 137, 200 * 137, o) for e in (0, 154, 155, 170, 185)] == pytest.approx(
        [0.36, 0.36, 0.036, 0.0036, 0.00036]
    )


def test_a_killed_run_goes_on_where_it_was(images, tmp_path, monkeypatch, fork):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    ready, kept = tmp_path / "ready", {"checkpoint": tmp_path / "c", "identity": "x"}

    def wait(step):
        if step == 5:
            ready.touch()
            time.sleep(60)

    killed = fork(lambda: run(images, on_step=wait, **kept))
    while not ready.exists():
        assert killed.is_alive()
        time.sleep(0.01)
    killed.kill()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL and (tmp_path / "c").exists()
    encoder, trained = run(images, **kept)
    assert trained.resumed == 1 and same(run(images)[0], encoder)


def test_a_damaged_checkpoint_is_named_and_left_there(images, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    with pytest.raises(StopError):
        run(images, checkpoint=tmp_path / "c", identity="x", on_step=stop_at(4))
    whole = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[:1000])
    with pytest.raises(CheckpointError, match=r"c: not a readable safetensors file .*; delete it"):
        run(images, checkpoint=tmp_path / "c", identity="x")
    (tmp_path / "c").write_bytes(whole)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        run(images, checkpoint=tmp_path / "c", identity="y")
    run(images, checkpoint=tmp_path / "c", identity="x")


def test_a_checkpoint_that_does_not_say_where_it_is_is_named(images, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    path = tmp_path / "c"
    with pytest.raises(StopError):
        run(images, checkpoint=path, identity="x", on_step=stop_at(4))
    tensors, header = files.load_tensors(path)
    momentum = next(n for n in tensors if n.startswith("optimiser.0."))
    kept = {n: t for n, t in tensors.items() if n != momentum}
    first = next(n for n in tensors if n.startswith("method."))
    for other, changed, message in (
        (tensors, {"kind": None}, "is no checkpoint of a training"),
        (tensors, {"identity": ["x"]}, "belongs to another run"),
        (tensors, {"step": "4"}, "of another version .step = 4"),
        (tensors, {"curves": [1]}, "of another version .curves"),
        (tensors, {"seconds": None}, "of another version .seconds"),
        ({**kept, "optimiser.0": tensors[momentum]}, {}, "of another version"),
        ({**kept, "optimiser.99.x": tensors[momentum]}, {}, "of another version"),
        (
            {**kept, momentum: tensors[momentum][:1]},
            {},
            f"of another version .{momentum} has shape",
        ),
        ({**tensors, first: tensors[first] * torch.nan}, {}, "holds NaN or infinity"),
    ):
        files.save_tensors(path, other, {**header, **changed})
        with pytest.raises(CheckpointError, match=message) as caught:
            run(images, checkpoint=path, identity="x")
        assert str(caught.value).startswith(f"{path}: ")
    files.save_tensors(path, tensors, {k: v for k, v in header.items() if k != "resumed"})
    with pytest.raises(CheckpointError, match=r"of another version .'resumed'"):
        run(images, checkpoint=path, identity="x")
    files.save_tensors(path, tensors, header)
    assert run(images, checkpoint=path, identity="x")[1].resumed == 1


def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(tmp_path, fork):
    """A file-size limit stands for a full disk: the process may not write beyond it."""
    path = tmp_path / "c.safetensors"
    files.save_tensors(path, {"x": torch.ones(10)}, {"step": 1})

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(DataError, match=r"cannot write .*free some space"):
            files.save_tensors(path, {"x": torch.ones(100_000)}, {"step": 2})

    tried = fork(fill)
    tried.join()
    assert tried.exitcode == 0
    tensors, header = files.load_tensors(path)
    assert header["step"] == 1 and len(tensors["x"]) == 10
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        files.write_text(tmp_path / "file" / "below", "x")


def test_divergence_stops_the_run_with_the_step(images):
    o = Optimisation(epochs=3, batch_size=16, lr=1e9)
    with pytest.raises(
        TrainingDiverged,
        match=r"at step \d+, where lr was \S+: training diverged; try a lr three times lower",
    ):
        Training(images, AlignUniform(SmallAlexNet(1 / 16, 32)), Augmentation(32), o).run()
