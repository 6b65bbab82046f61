"""Records of further measurements: made once, replayed, compared between machines."""

import tomllib
from dataclasses import replace

import pytest

from synthlearn.core import files
from synthlearn.core.errors import ParameterError
from synthlearn.data import datasets
from synthlearn.measure import properties, tasks
from synthlearn.measure.base import Accuracy
from synthlearn.study import measuring, records, resolve, store
from synthlearn.study.experiment import Experiment
from synthlearn.study.measuring import Measuring
from synthlearn.study.rows import get_row


@pytest.fixture
def confirmations(monkeypatch, tmp_path):
    """A file of its own for what replays confirm."""
    monkeypatch.setattr(store, "_confirmations", lambda: tmp_path / "confirmed.json")
    return tmp_path / "confirmed.json"


def job(row):
    return Measuring("layers", Experiment(get_row(row), resolve("smoke", per_class=20), 0))


def write(of, record, top1, machine):
    """The record with another top-1 of its first layer, of this machine or of an unknown one."""
    results = {**record.results, "conv1": replace(record.results["conv1"], top1=top1)}
    origin = record.provenance if machine else replace(record.provenance, machine=None)
    records.write(of.path, replace(record, results=results, provenance=origin))


def test_measurements_are_made_once_and_replayed(runs, monkeypatch, confirmations):
    random = job("random")
    first = store.get(random)
    monkeypatch.setattr(Measuring, "make", lambda self: pytest.fail("made again"))
    assert store.get(random) == first
    assert store.state(random) == "fresh"
    comparison = store.replay(random)
    assert comparison.agrees and comparison.asked == "to the bit"
    top1 = first.results["conv1"].top1
    write(random, first, top1 + 0.004, machine=True)
    assert not store.replay(random).agrees  # on one machine every bit counts
    write(random, first, top1 + 0.004, machine=False)
    comparison = store.replay(random)
    assert comparison.agrees and comparison.strict and "nothing is trained" in comparison.asked
    write(random, first, top1 + 0.008, machine=False)
    assert store.replay(random).word == "DIFFERS"


def test_images_of_the_tasks_are_read_once_for_all_runs_and_anew_for_other_archives(monkeypatch):
    asked, archives, load = [], {}, tasks.load
    monkeypatch.setattr(measuring, "_FIELDS", {})
    monkeypatch.setattr(datasets, "manifest", lambda: archives)
    monkeypatch.setattr(tasks, "load", lambda name: asked.append(name) or load(name))
    profile = resolve("smoke")
    jobs = [Measuring("transfer", Experiment(get_row("noise-white"), profile, s)) for s in (0, 1)]
    first, second = (job.spec.content for job in jobs)
    assert first["tasks"] == second["tasks"] and first["record"] != second["record"]
    once = len(asked)
    assert once == len(set(asked)) == len(first["tasks"])
    archives["other"] = {"file": "not-here.tar"}
    assert Measuring("transfer", jobs[0].experiment).spec.content["tasks"] == first["tasks"]
    assert len(asked) == 2 * once


@pytest.mark.parametrize("name", measuring.OF_EVERY_RUN)
def test_fields_that_are_read_once_ask_the_run_nothing(name):
    asked_nothing = measuring.measurement(name, resolve("smoke")).spec_fields(None)
    experiment = Experiment(get_row("random"), resolve("smoke"), 0)
    assert asked_nothing == measuring.measurement(name, resolve("smoke")).spec_fields(experiment)


def test_a_measured_encoder_of_another_machine_is_compared_as_two_encoders_of_a_row(
    runs, monkeypatch, confirmations
):
    part = Accuracy(top1=0.5, n=1000, low=0.47, high=0.53)
    made = {"layer": part}
    monkeypatch.setattr(Measuring, "parts", lambda self: iter([("conv1", made["layer"])]))
    trained = job("dead_leaves-mixed")
    record = trained.make()
    plain = replace(record, provenance=replace(record.provenance, machine=None))

    def again(top1):
        made["layer"] = replace(part, top1=top1)
        comparison = trained.again(plain, False)
        return comparison

    # one encoder of each row is all there is
    assert "decides nothing" in again(0.53).asked
    rows = {"real": (0.50, 0.52), "noise-white": (0.3, 0.31), "random": (0.1, 0.9)}
    committed = [
        replace(plain, row=row, results={"conv1": replace(part, top1=top1)})
        for row, values in rows.items()
        for top1 in values
    ]
    monkeypatch.setattr(store, "committed", lambda kind, profile, name: committed)
    spread = measuring.spread("layers", "conv1", trained.profile)
    # of trained rows alone
    assert (spread.df, spread.variance) == (2, pytest.approx((2e-4 + 0.5e-4) / 2))
    comparison = again(0.53)
    assert comparison.agrees and not comparison.strict
    assert comparison.asked == "within what two encoders of a row differ by"
    assert again(0.6).word == "DIFFERS"


def test_a_record_of_six_decimals_agrees_with_what_is_made_again():
    rounded = properties.rounded
    again = {"value": rounded("x", 0.0123456789), "real": rounded("x", 0.5), "n": 12}
    old = {"value": 0.012346, "real": 0.5, "n": 12}
    assert measuring._digits_of(old, again) == old != again
    assert measuring._digits_of(again, again) == again
    other = {**again, "value": rounded("x", 0.0123476)}
    assert measuring._digits_of(old, other) != old
    assert measuring._digits_of(again, other) != again


def test_committed_measurements_belong_to_the_plans():
    profile = resolve("cpu", data="digits")
    planned = {
        (name, experiment.row.name, experiment.seed)
        for name, plan in measuring.plans().items()
        for experiment in plan.experiments(profile)
    }
    root = files.root() / "results" / "measurements" / "cpu"
    committed = {(path.parent.name, *path.stem.rsplit("-s", 1)) for path in root.rglob("*.json")}
    assert {(name, row, int(seed)) for name, row, seed in committed} <= planned


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[layer]", "'layer' is not a measurement; allowed are"),
        ('[layers]\nsmoke = ["random"]', r'\[layers\] has no rows; add rows = \["…"\]'),
        ('[layers]\nrows = ["random"]', r'\[layers\] has no smoke; add smoke = \["…"\]'),
        ("[layers]\nrows = []\nsmoke = 'random'", "smoke = 'random': must be a list of texts"),
        ("[layers]\nrows = []\nsmoke = ['randm']", "unknown row 'randm': did you mean 'random'"),
        ("[layers]\nrows = []\nsmoke = []", r"\[layers\]: names no row of the smoke profile"),
        ("[layers]\nrows = []\nsmoke = []\nseed = 2", r"\[layers\] has 'seed'; allowed are opt"),
        ("[layers]\nrows = []\nsmoke = []\nseeds = 'two'", "seeds = 'two': must be a whole num"),
        ("[layers]\nrows = []\nsmoke = []\noptions.tiny.k = 2", "profile = 'tiny': must be one"),
        ("[layers]\nrows = []\nsmoke = []\noptions.cpu.k = 2", "unknown option 'k' of measureme"),
        ("[layers]\nrows = []\nsmoke = []\noptions.cpu = 2", r"layers.options.cpu\] = 2: must b"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(monkeypatch, text, message):
    get_row("random")  # the rows are those of the study
    monkeypatch.setattr(measuring.files, "read_workflow", lambda name: tomllib.loads(text))
    with pytest.raises(ParameterError, match=f"workflow/measurements.toml: .*{message}"):
        measuring.plans.__wrapped__()
