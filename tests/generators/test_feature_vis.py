"""Feature visualisations.

The order of units, the parametrisation, the moves, and that pictures excite their units.
"""

import itertools
import os

import pytest
import torch

import synthlearn as sl
from synthlearn.core import files, graph, rng
from synthlearn.core.errors import CheckpointError, ParameterError
from synthlearn.generators import feature_vis as fv
from synthlearn.learn import encoders


@pytest.mark.parametrize("units", [2, 5, 9])
def test_units_come_alone_then_in_pairs_in_lexical_order(units):
    want = [(u, u) for u in range(units)] + list(itertools.combinations(range(units), 2))
    assert [
        tuple(pair) for pair in fv.unit_list(torch.arange(2 * len(want)), units).tolist()
    ] == want * 2


def test_pictures_are_a_fourier_series_in_decorrelated_colours():
    z = rng.normal(rng.key("series"), (1, 3, 8, 5, 2)).squeeze(0)[None]
    got = torch.logit(fv.picture(z, fv.tables(8)))
    colour = torch.tensor(fv.COLOUR) / torch.tensor(fv.COLOUR).norm(dim=0).max()
    assert float(torch.tensor(fv.COLOUR).norm(dim=0).max()) == pytest.approx(0.4620, abs=1e-4)
    f = torch.hypot(torch.fft.fftfreq(8)[:, None], torch.fft.rfftfreq(8)).clamp_min(1 / 8)
    channels = torch.fft.irfft2(torch.view_as_complex(z) / f, s=(8, 8), norm="ortho") / 4
    want = sum(colour[:, c, None, None] * channels[0, c] for c in range(3))
    assert torch.allclose(got[0], want, atol=1e-5)


def test_without_moves_the_transform_is_a_reduction_with_a_grey_rim(monkeypatch):
    monkeypatch.setattr(fv, "ZOOM", (1.0,))
    monkeypatch.setattr(fv, "TURNS", 0)
    monkeypatch.setattr(fv, "SHIFT_FIRST", 0)
    monkeypatch.setattr(fv, "SHIFT_LAST", 0)
    x = torch.zeros(1, 3, 256, 256)
    y = fv.transform(x, rng.key("still", torch.arange(1)), fv.tables(256))
    assert y.shape == x.shape and float(y[0, 0, 0, 0]) == 0.5 and float(y[0, 0, 128, 128]) == 0
    assert int((y[0, 0, 128] > 0.25).sum()) == pytest.approx(2 * 12 * 256 / 280, abs=2)


def test_moves_are_small_and_differ_by_key():
    ramp = torch.linspace(0, 1, 128).expand(64, 3, 128, 128)
    moved = fv.transform(ramp, rng.key("moves", torch.arange(64)), fv.tables(128))
    centre = moved[:, 0, 64, 64]
    assert len(centre.unique()) > 20 and float((centre - 0.5).abs().max()) < 0.06


def test_units_are_excited_and_steps_zero_is_the_start():
    g = sl.generator("feature_vis-random", encoder="small", width=0.125, steps=24)
    network, count = fv.units_of("small", 0.125, 0, "cpu")
    index = torch.arange(6)
    chosen, keys = fv.unit_list(index, count), rng.key("feature_vis", 0, index)
    stages = g.optimise(network, chosen, keys, 48, 24, 12)
    assert stages.shape == (3, 6, 3, 48, 48) and torch.equal(stages[-1], g.sample(index, 48))
    with torch.no_grad():
        first, last = (
            network(x.float() / 255).gather(1, chosen).sum(1) for x in (stages[0], stages[-1])
        )
    assert bool((last > first).all())
    assert int(stages.amin((2, 3, 4)).max()) == 0 and int(stages.amax((2, 3, 4)).min()) == 255


def test_adam_climbs_as_torchs_does():
    g = sl.generator("feature_vis-random", encoder="small", width=1 / 16, steps=8)
    network, _ = fv.units_of("small", 1 / 16, 0, "cpu")
    keys, chosen = rng.key("adam", torch.arange(4)), torch.tensor([[1, 2]] * 4)
    z = (fv.START * rng.normal(rng.fold(keys, 0), (3, 32, 17, 2))).requires_grad_(True)
    adam = torch.optim.Adam([z], lr=fv.LEARNING_RATE)
    t = fv.tables(32)
    for step in range(8):
        adam.zero_grad()
        moved = fv.transform(fv.picture(z, t), rng.fold(keys, 1, step), t)
        (-network(moved).gather(1, chosen).sum() / 2).backward()
        adam.step()
    want = fv._stretch(fv.picture(z.detach(), t))
    assert (
        float((want.int() - g.optimise(network, chosen, keys, 32, 8).int()).abs().float().mean())
        < 0.5
    )


def test_bfloat16_climbs_as_high():
    g = sl.generator("feature_vis-random", encoder="small", width=0.125, steps=24)
    exact, count = fv.units_of("small", 0.125, 0, "cpu")
    rounded, _ = fv.units_of("small", 0.125, 0, "cpu", precision=torch.bfloat16)
    index = torch.arange(8)
    chosen, keys = fv.unit_list(index, count), rng.key("feature_vis", 0, index)
    start, *reached = (
        exact(g.optimise(network, chosen, keys, 32, steps).float() / 255).gather(1, chosen).mean()
        for network, steps in ((exact, 0), (exact, 24), (rounded, 24))
    )
    assert float(reached[0]) > 2 * float(start)
    assert float(reached[1]) == pytest.approx(float(reached[0]), rel=0.05)


def test_the_host_reads_nothing_in_a_step():
    network = torch.nn.Conv2d(3, 4, 3, device="meta").requires_grad_(False)
    keys = torch.zeros(
        2, dtype=torch.int64, device="meta"
    )  # without values: to read one is an error
    chosen = torch.zeros(2, 2, dtype=torch.int64, device="meta")
    climb = fv.Climb(lambda x: network(x).mean((2, 3)), chosen, keys, 32, 5)
    before = climb.z
    climb.step(keys)
    assert climb.z is before is climb.state[0]  # a recorded step writes to the same places


@pytest.mark.parametrize("steps", [2, 9])
def test_a_recorded_climb_equals_a_plain_one(monkeypatch, steps):
    g = sl.generator("feature_vis-random", encoder="small", width=1 / 16, steps=steps)
    want = g.sample(range(3), 32)
    monkeypatch.setattr(graph, "captures", lambda device: True)
    monkeypatch.setattr(graph, "warm_up", lambda work, _: [work() for _ in range(graph.WARM_UP)])
    replays = []

    def capture(work):  # on a CPU a recording is the work itself
        return (torch.zeros(()),), lambda: replays.append(work())

    monkeypatch.setattr(graph, "capture", capture)
    assert torch.equal(g.sample(range(3), 32), want) and len(replays) == steps


def test_a_step_sends_nothing_to_a_gpu(monkeypatch):
    """While a graph is recorded a number that comes from the host ends the recording."""
    network, count = fv.units_of("small", 1 / 16, 0, "cpu")
    keys = rng.key("still", torch.arange(2))
    climb = fv.Climb(network, fv.unit_list(torch.arange(2), count), keys, 32, 5)
    monkeypatch.setattr(torch, "tensor", None)
    climb.step(keys)
    assert int(climb.count) == 1


def test_an_encoders_file_is_named_by_its_record_not_its_path(tmp_path):
    for name in ("a", "b"):
        encoders.save(tmp_path / name, encoders.SmallAlexNet(1 / 16, 32), {"record": "f" * 64})
    specs = [
        sl.generator("feature_vis-dead_leaves", encoder=str(tmp_path / name)).spec()
        for name in ("a", "b")
    ]
    assert specs[0] == specs[1] and specs[0]["options"]["encoder"] == "f" * 64


def test_an_encoders_file_that_is_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "e.safetensors"
    found = []
    for time, seed in ((1, 0), (2, 1)):
        encoders.save(path, encoders.SmallAlexNet(1 / 16, 64, seed), {})
        os.utime(path, ns=(time, time))
        found.append(
            sl.generator("feature_vis-dead_leaves", encoder=str(path), steps=1).sample([0], 32)
        )
    assert not torch.equal(*found)


@pytest.mark.parametrize("encoder", ["", "no/such/file", ".", "x" * 5000, "a\0b"])
def test_an_encoder_that_is_no_file_is_refused_in_one_line(encoder):
    maker = sl.generator("feature_vis-dead_leaves", encoder=encoder, steps=1)
    with pytest.raises(
        ParameterError, match=r"option encoder = .*: no such file; give an encoder's file"
    ) as caught:
        maker.sample([0], 32)
    assert len(str(caught.value)) < 500 and maker.spec()["options"]["encoder"] == encoder


def test_files_that_hold_no_encoder_are_refused_by_name(tmp_path):
    files.save_tensors(tmp_path / "other", {"a": torch.zeros(1)}, {"record": ["not", "a", "name"]})
    maker = sl.generator("feature_vis-dead_leaves", encoder=str(tmp_path / "other"), steps=1)
    assert maker.spec()["options"]["encoder"] == files.sha256(tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"other: holds no encoder"):
        maker.sample([0], 32)
    (tmp_path / "noise").write_bytes(bytes(range(200)))
    maker = sl.generator("feature_vis-dead_leaves", encoder=str(tmp_path / "noise"), steps=1)
    for call in (maker.spec, lambda: maker.sample([0], 32)):
        with pytest.raises(CheckpointError, match="noise: not a readable safetensors file"):
            call()


def test_a_released_encoder_is_looked_into_and_named_by_its_content(tmp_path):
    torch.save(encoders.SmallAlexNet(1 / 16, 64).state_dict(), tmp_path / "e.pth")
    ours, theirs = (
        sl.generator("feature_vis-dead_leaves", encoder=str(tmp_path / n), steps=1)
        for n in ("e", "e.pth")
    )
    encoders.save(tmp_path / "e", encoders.SmallAlexNet(1 / 16, 64), {})
    assert torch.equal(ours.sample([0], 32), theirs.sample([0], 32))
    assert theirs.spec()["options"]["encoder"] == files.sha256(tmp_path / "e.pth")


def test_pictures_of_a_network_that_overflows_are_an_error(tmp_path):
    e = encoders.SmallAlexNet(1 / 16, 64)
    with torch.no_grad():
        for weight in (m.weight for m in e.modules() if isinstance(m, torch.nn.Conv2d)):
            weight.fill_(1e30)
    encoders.save(tmp_path / "e", e, {})
    with pytest.raises(CheckpointError, match="activations or their gradient are NaN or infinite"):
        sl.generator("feature_vis-dead_leaves", encoder=str(tmp_path / "e"), steps=2).sample(
            [0], 32
        )


def test_resnet_has_2048_units_and_the_usual_spread():
    network = encoders.resnet_trunk("resnet50", 0)
    stem = network.conv1.weight
    assert float(stem.detach().std()) == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.03)
    _, units = fv.units_of("resnet50", 1.0, 0, "cpu")
    assert units == 2048


def test_a_chunk_on_a_gpu_is_what_fills_it(monkeypatch):
    monkeypatch.setattr("synthlearn.generators.base.working_memory", lambda device: 16 << 30)
    g = sl.generator("feature_vis-random")
    assert [g.chunk(side, "cuda") for side in (64, 128, 256)] == [
        4 * fv.FULL,
        fv.FULL,
        fv.FULL // 4,
    ]
