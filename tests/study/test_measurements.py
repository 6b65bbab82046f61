"""Records of further measurements: made once, replayed, compared between machines."""

import json

import pytest

from synthlearn.study import measurements, records, resolve, row


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
    monkeypatch.setattr(measurements, "parts", lambda *job: iter([("conv1", dict(made))]))
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
