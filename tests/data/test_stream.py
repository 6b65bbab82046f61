"""Pools, refreshed pools and streams: what a run sees, bounded memory, and going on after an
interruption.
"""

import os
import re
import resource
import signal
import threading
from pathlib import Path

import pytest
import torch

from synthlearn.core import augment, files, rng
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.data import source as make_source
from synthlearn.data import stream
from synthlearn.generators import noise
from synthlearn.learn import encoders, methods, train
from synthlearn.learn.order import Order, Step

WHITE = make_source("noise-white")


def test_pools_are_cached_and_a_damaged_one_is_made_again(runs):
    first = stream.pool(WHITE, 10, 16).clone()
    path = next((runs / "pools").glob("*.safetensors"))
    assert torch.equal(files.load_tensors(path)[0]["images"], first)  # an ordinary safetensors file
    path.write_bytes(path.read_bytes()[:200])
    assert torch.equal(stream.pool(WHITE, 10, 16), first)
    assert not torch.equal(stream.pool(WHITE, 10, 16, seed=1), first)


def test_a_killed_pool_goes_on_where_it_stopped(runs, fork):
    paint, made = noise.WhiteNoise.paint, []

    def dying(self, keys, indices, size, seed):
        made.extend(indices.tolist())
        if len(made) > stream.CHUNK * 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return paint(self, keys, indices, size, seed)

    def make():
        noise.WhiteNoise.paint = dying  # in a process of its own
        stream.pool(WHITE, 1000, 8)

    dead = fork(make)
    dead.join()
    assert dead.exitcode == -signal.SIGKILL
    (partial,) = (runs / "pools").glob("*.partial")
    rows = partial.stat().st_size // (3 * 8 * 8)
    assert rows >= stream.CHUNK
    asked = []

    class Watched:
        name, spec = WHITE.name, WHITE.spec

        def sample(self, indices, size, seed, device):
            asked.extend(indices.tolist())
            return WHITE.sample(indices, size, seed, device)

    whole = stream.pool(Watched(), 1000, 8)
    assert (
        torch.equal(whole, WHITE.sample(range(1000), 8)) and min(asked[1:]) >= stream.CHUNK
    )  # the first is a probe of the shape
    assert not list((runs / "pools").glob("*.partial"))


def test_a_full_disk_leaves_nothing_behind(runs, fork):
    def make():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        with pytest.raises(DataError, match="cannot write"):
            stream.pool(WHITE, 2000, 16)

    tried = fork(make)
    tried.join()
    assert tried.exitcode == 0
    assert not list((runs / "pools").iterdir())


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell")
def test_a_pool_is_mapped_not_read(runs):
    stream.pool(WHITE, 1500, 64)
    feed = stream.batches(WHITE, 1500, 64)
    assert feed.batch(0, torch.tensor([3, 1400])).shape == (2, 3, 64, 64)
    (path,) = (runs / "pools").iterdir()
    mapped = rf"{re.escape(str(path))}\nSize: +(\d+) kB\n.*\n.*\nRss: +(\d+) kB"
    ((size, resident),) = re.findall(mapped, Path("/proc/self/smaps").read_text())
    assert int(size) > 18_000 and 0 < int(resident) < 9_000


def test_a_stream_never_repeats_and_a_pool_always_does(runs):
    slots = torch.arange(20)
    fresh, fixed = stream.batches(WHITE, 20, 8, refresh=1.0), stream.batches(WHITE, 20, 8)
    epochs = [fresh.batch(e, slots) for e in range(3)]
    for e, x in enumerate(epochs):
        assert torch.equal(x, WHITE.sample(slots + 20 * e, 8)) and torch.equal(
            fixed.batch(e, slots), epochs[0]
        )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_a_refreshed_pool_changes_the_asked_share_in_every_epoch(share):
    n = 400
    feed = stream.batches(WHITE, n, 8, refresh=share)
    before = feed.batch(0, torch.arange(n)).clone()
    for epoch in range(1, 6):
        now = feed.batch(epoch, torch.arange(n)).clone()
        assert float((now != before).flatten(1).any(1).float().mean()) == pytest.approx(
            share, abs=0.01
        )
        before = now
    # in another order, in parts, and after a fresh start: the same pictures
    again = stream.batches(WHITE, n, 8, refresh=share)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    parts = torch.cat([again.batch(5, part) for part in order.split(64)])
    assert torch.equal(parts, before[order])


def test_refreshing_more_than_all_is_refused():
    with pytest.raises(ParameterError, match=r"refresh = 1\.5: must be above 0 and at most 1"):
        stream.batches(WHITE, 4, 8, refresh=1.5)


@pytest.mark.parametrize("refresh", [0.5, 1.0])
def test_training_from_a_stream_goes_on_at_the_same_picture(refresh, tmp_path, runs, monkeypatch):
    o = train.Optimisation(3, 8)

    def trained(checkpoint=None, stop=None):
        def interrupt(step):
            if step == stop:
                raise KeyboardInterrupt

        encoder = encoders.SmallAlexNet(1 / 16, 32)
        feed = stream.batches(WHITE, 24, 32, refresh=refresh)
        views = augment.Augmentation(32, 0.2)
        training = train.Training(feed, methods.AlignUniform(encoder), views, o)
        training.run(checkpoint, "x", on_step=interrupt)
        return encoder.state_dict()

    whole = trained()
    checkpoint = tmp_path / "c.safetensors"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("synthlearn.learn.checkpoint.SECONDS", 0.0)
        trained(checkpoint, 5)
    assert checkpoint.exists()
    resumed = trained(checkpoint)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_batches_made_ahead_on_a_gpu_are_those_of_the_plan():
    feed = stream.batches(WHITE, 64, 16, device="cuda", refresh=1.0)

    def plan():
        for step in Order(64, train.Optimisation(2, 16), 0, torch.device("cuda")).plan(range(8)):
            torch.cuda._sleep(
                10_000_000
            )  # the slots are still to be computed when the batch is asked for
            yield Step(step.number, step.epoch, step.indices.clone())

    for (step, epoch, slots), images in feed.prefetch(plan()):
        assert torch.equal(images.cpu(), WHITE.sample(slots.cpu() + 64 * epoch, 16)), step


def test_keys_of_the_plan_are_those_of_the_order():
    o = train.Optimisation(2, 4)
    steps = list(Order(10, o, 3, torch.device("cpu")).plan(range(6)))
    assert [s for s, _, _ in steps] == list(range(6)) and [e for _, e, _ in steps] == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]
    assert torch.equal(
        torch.cat([slots for _, e, slots in steps if e == 1]),
        rng.permutation(rng.key("order", 3, 1), 10),
    )


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_stream_is_made_beside_the_steps_where_there_are_two_threads(two_threads, monkeypatch):
    o, made = train.Optimisation(3, 8), []

    def batches():
        feed = stream.batches(WHITE, 24, 8, refresh=0.5)
        batch = feed.batch
        monkeypatch.setattr(
            feed,
            "batch",
            lambda *told: (
                made.append((threading.current_thread(), torch.get_num_threads())) or batch(*told)
            ),
        )
        found = []
        for step, pictures in feed.prefetch(Order(24, o, 0, torch.device("cpu")).plan(range(9))):
            found.append((step[:2], pictures))
            assert torch.get_num_threads() == 1
        return found

    beside = batches()
    assert {threads for _, threads in made} == {1} and threading.main_thread() not in {
        thread for thread, _ in made
    }
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    made.clear()
    plain = batches()
    assert {thread for thread, _ in made} == {threading.main_thread()}
    assert (
        [step for step, _ in beside]
        == [step for step, _ in plain]
        == [(s, s // 3) for s in range(9)]
    )
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(beside, plain, strict=True))


def test_a_stream_that_fails_beside_the_steps_leaves_the_threads_as_they_were(
    two_threads, monkeypatch
):
    feed = stream.batches(WHITE, 24, 8, refresh=1.0)
    monkeypatch.setattr(feed.source, "sample", lambda *told: (_ for _ in ()).throw(OSError("gone")))
    with pytest.raises(OSError, match="gone"):
        list(
            feed.prefetch(
                Order(24, train.Optimisation(1, 8), 0, torch.device("cpu")).plan(range(3))
            )
        )
    assert torch.get_num_threads() == 2


def test_pools_on_a_card_are_made_once_kept_for_the_next_rows_and_not_written(runs, monkeypatch):
    """With a processor for a card: the rule that picks and drops pools."""
    asked = []
    monkeypatch.setattr(stream, "_on_device", {})
    monkeypatch.setattr(stream, "_fits", lambda size, device: True)
    sample = type(WHITE).sample
    monkeypatch.setattr(
        type(WHITE),
        "sample",
        lambda self, indices, *told: asked.append(len(indices)) or sample(self, indices, *told),
    )
    one = stream.batches(WHITE, 300, 8)
    again = stream.batches(WHITE, 300, 8)
    assert asked == [256, 44] and one.images is again.images
    assert torch.equal(one.images, WHITE.sample(range(300), 8)) and not list(runs.rglob("pools/*"))
    for seed in range(1, stream.POOLS_KEPT + 1):
        stream.batches(WHITE, 4, 8, seed)
    assert len(stream._on_device) == stream.POOLS_KEPT
    stream.batches(WHITE, 300, 8)  # the first one had to go
    assert asked[-2:] == [256, 44]
    monkeypatch.setattr(stream, "SLOW", 0.0)
    assert (
        torch.equal(stream.batches(WHITE, 20, 8).images, WHITE.sample(range(20), 8))
        and len(list(runs.rglob("pools/*"))) == 1
    )  # minutes are kept


@pytest.mark.parametrize("first", [0, 1])
def test_streams_that_overlap_leave_the_threads_as_they_were(first):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    plan = Order(24, train.Optimisation(1, 8), 0, torch.device("cpu")).plan
    feeds = [stream.batches(WHITE, 24, 8, refresh=1.0).prefetch(plan(range(3))) for _ in range(2)]
    try:
        for feed in feeds:
            next(feed)
            assert torch.get_num_threads() == 3
        feeds[first].close()
        assert torch.get_num_threads() == 3
        assert len(list(feeds[1 - first])) == 2
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
