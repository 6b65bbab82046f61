"""Rows by priority in a given time: order, estimates, what is cut off, what a killed process
leaves."""

import json
import shlex
import sys
import time

import pytest

from synthlearn import study
from synthlearn.__main__ import main
from synthlearn.core import deadline, files
from synthlearn.core.errors import OutOfTime
from synthlearn.study import schedule, store
from synthlearn.study.experiment import Experiment

TINY = {
    "device": "cpu",
    "n_images": 32,
    "epochs": 4,
    "batch_size": 16,
    "width": 1 / 16,
    "seeds": 2,
    "data": "digits",
    "per_class": 5,
    "precision": "fp32",
}
SET = [f"--set={name}={value}" for name, value in TINY.items() if name != "device"]
NAMES = ("real", "dead_leaves-mixed.simclr", "noise-white", "random", "raw_pixels")


@pytest.fixture
def profile(runs):
    return study.resolve("gpu", **TINY)


def jobs(profile, names=NAMES, seeds=(0, 1)):
    return [Experiment(study.get_row(name), profile, seed) for name in names for seed in seeds]


def named(experiments):
    return [(experiment.row.name, experiment.seed) for experiment in experiments]


def clock(monkeypatch, seconds, takes=None):
    """A clock by hand: what a record takes, what each is said to take."""
    now = [0.0]

    def get(experiment):
        now[0] += seconds(experiment)
        if deadline.passed():
            raise OutOfTime("cut")

    def states(job):
        return "fresh" if job.row.name == "raw_pixels" else "missing"

    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(store, "state", states)
    monkeypatch.setattr(Experiment, "seconds", lambda self: takes)
    monkeypatch.setattr(store, "get", get)


def test_the_papers_table_comes_first_then_sources_then_variants(profile):
    order = named(schedule.by_priority(jobs(profile)))
    table = [
        ("real", 0),
        ("random", 0),
        ("raw_pixels", 0),
        ("real", 1),
        ("random", 1),
        ("raw_pixels", 1),
    ]
    assert order == [
        *table,
        ("noise-white", 0),
        ("noise-white", 1),
        ("dead_leaves-mixed.simclr", 0),
        ("dead_leaves-mixed.simclr", 1),
    ]
    assert (
        schedule.rank(study.get_row("learned.stablerep")) == 1
    )  # StableRep's own rows are none of variants


def test_what_fits_is_made_in_order_and_the_rest_is_left(profile, monkeypatch):
    """Each record takes ten seconds, which are known beforehand."""
    made = []
    clock(monkeypatch, lambda experiment: 10, takes=10.0)
    every = schedule.by_priority(jobs(profile))
    outcome = schedule.stretch(every, 35 / 0.9, lambda job, record: made.append(job))
    assert made == outcome.made
    assert named(made) == [("real", 0), ("random", 0), ("real", 1)]
    assert named(outcome.cut) == [("random", 1)]  # five seconds are left: begun, and cut off
    assert named(outcome.left) == [
        ("noise-white", 0),
        ("noise-white", 1),
        ("dead_leaves-mixed.simclr", 0),
        ("dead_leaves-mixed.simclr", 1),
    ]
    left = "dead_leaves-mixed.simclr s0, dead_leaves-mixed.simclr s1"
    assert str(outcome) == (
        "3 made (real s0, random s0, real s1); 1 cut off, to go on (random s1); "
        f"4 left (noise-white s0, noise-white s1, {left})"
    )


def test_rows_that_took_longer_than_they_should_are_known_by_it(profile, monkeypatch):
    """Nobody has made one before."""
    clock(monkeypatch, lambda experiment: 30 if experiment.row.kind == "real" else 1)
    # less than a tenth is kept in reserve
    every = jobs(profile, ("real", "noise-white"), range(3))
    outcome = schedule.stretch(every, 95.0, lambda job, record: None)
    assert named(outcome.made) == [
        ("real", 0),
        ("real", 1),
        ("noise-white", 0),
        ("noise-white", 1),
        ("noise-white", 2),
    ]
    assert named(outcome.cut) == [("real", 2)]


def test_a_row_that_is_cut_off_anywhere_goes_on_to_the_same_record(profile, monkeypatch):
    """The time is over at every look at the clock in turn: in its pictures, at each point of the
    curve, before its measurement."""
    experiment, cut = Experiment(study.get_row("noise-white"), profile, 1), 0
    whole = store.get(experiment).to_json()
    for folder in ("pools", "encoders", "records"):
        for path in (files.runs() / folder).rglob("*.*"):
            path.unlink()
    for look in range(40):
        looks = iter(range(look))
        monkeypatch.setattr(deadline, "passed", lambda looks=looks: next(looks, None) is None)
        try:
            again = store.get(experiment)
            break
        except OutOfTime as error:
            cut += 1
            assert "the time is over" in str(error) and not experiment.path.exists()
    assert cut >= 4
    assert again.cost.resumed == cut - 1  # the first time there was no picture yet
    for name in ("results", "curves", "filters"):
        assert again.to_json()[name] == whole[name]
    assert not experiment.checkpoint.exists()


COMMAND = f"python -m synthlearn run --profile gpu --device cpu --seed 0 {' '.join(SET)}"


def kept_in(where):
    return {path.stem: path.read_bytes() for path in (where / "records").rglob("*.json")}


def test_the_command_stops_in_time_goes_on_and_loses_nothing_when_killed(
    tmp_path, shell, fork, monkeypatch
):
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path))
    longer = COMMAND.replace("epochs=4", "epochs=16")  # than the shortest time that can be asked
    command = f"{longer} --row raw_pixels --row real --row noise-white --minutes"
    printed = tmp_path / "printed"

    def call():
        sys.stdout = printed.open("w")
        sys.exit(main([*shlex.split(command)[3:], "5"]))

    started = fork(call)
    while not kept_in(tmp_path):
        assert started.is_alive()
        time.sleep(0.01)
    time.sleep(0.5)  # into the next row
    started.kill()
    started.join()
    order, *first = printed.read_text().splitlines()
    assert order == "to make, of 3: 3, in this order: raw_pixels s0, real s0, noise-white s0"
    # of the paper's table, and untrained
    assert first[0].startswith("raw_pixels seed 0: linear")
    kept = kept_in(tmp_path)
    assert kept and all(json.loads(text)["row"] in ("raw_pixels", "real") for text in kept.values())

    def go_on(minutes):
        return shell(f"{command} {minutes}", tmp_path, SYNTHLEARN_RUNS=str(tmp_path))

    done = go_on(0.01)
    assert " left (" in done.stdout or "1 cut off" in done.stdout
    done = go_on(5)
    assert done.stdout.splitlines()[-1].endswith("0 cut off, to go on; 0 left")
    assert "raw_pixels seed" not in done.stdout  # it was there
    assert "device: cpu (" in done.stderr
    assert kept.items() <= kept_in(tmp_path).items()
    assert set(kept_in(tmp_path)) == {"raw_pixels-s0", "real-s0", "noise-white-s0"}
    assert go_on(5).stdout == "to make, of 3: 0\n0 made; 0 cut off, to go on; 0 left\n"
