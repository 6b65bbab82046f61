"""An experiment and its store: made once, read back, stale or fresh, replayed, lost and found."""

import dataclasses
import json
import re
import subprocess

import pytest
import torch

from synthlearn import study
from synthlearn.core import files, stats
from synthlearn.core.errors import DataError
from synthlearn.learn import encoders
from synthlearn.learn.methods import METHODS
from synthlearn.learn.step import UpdateStep
from synthlearn.learn.train import Training
from synthlearn.study import experiment, measuring, profiles, records, store
from synthlearn.study.measuring import Measuring, Plan
from synthlearn.study.provenance import commit

TINY = {"n_images": 32, "epochs": 2, "batch_size": 16, "width": 1 / 16, "per_class": 20}


@pytest.fixture
def tiny():
    return study.resolve("smoke", **TINY)


@pytest.fixture
def confirmations(tmp_path, monkeypatch):
    """A file of confirmations of its own."""
    path = tmp_path / "confirmed.json"
    monkeypatch.setattr(store, "_confirmations", lambda: path)
    return path


def of(name, profile, seed=0):
    return study.Experiment(study.get_row(name), profile, seed)


def rewrite(job, change):
    """Write the record of a job anew, its content changed; its id is that of its spec."""
    content = records.read(job.path, records.Run).to_json()
    content = json.loads(json.dumps(content))
    change(content)
    content["id"] = records.Spec(content["spec"]).id
    files.write_with_digest(job.path, {"schema": records.SCHEMA, **content})


def test_a_record_is_made_once_and_read_back(tiny, runs):
    job = of("noise-white", tiny)
    assert store.state(job) == "missing"
    made = store.get(job)
    stamp = job.path.stat().st_mtime_ns
    again = store.get(job)
    assert store.state(job) == "fresh" and job.path.stat().st_mtime_ns == stamp
    assert again.to_json()["results"] == made.to_json()["results"] and again.id == made.id
    assert not list((runs / "checkpoints").glob("*"))
    main = made.main
    assert main.low <= main.top1 <= main.high
    assert main.outcomes.mean() == pytest.approx(main.top1, abs=1e-6)
    assert made.cost.views == 2 * TINY["n_images"] * TINY["epochs"]
    assert made.filters.shape == (6, 3, 3, 3) and len(made.curves["loss"]) == 4
    assert made.provenance.machine and made.provenance.threads == tiny.threads


@pytest.mark.parametrize(
    ("method", "n", "batch", "captions"),
    [
        ("align_uniform", 32, 16, None),
        ("simclr", 33, 16, None),
        ("simclr", 37, 16, None),
        ("stablerep", 37, 20, (13, 7, 8, 9)),
        ("stablerep", 24, 16, (12, 12)),
    ],
)
def test_a_record_counts_the_views_that_the_network_saw(method, n, batch, captions, monkeypatch):
    p = study.resolve("smoke", n_images=n, batch_size=batch, epochs=2, width=1 / 16, method=method)
    labels = captions and torch.arange(len(captions)).repeat_interleave(torch.tensor(captions))
    encoder = encoders.build(p.encoder, p.width, p.crop, 0)
    own = METHODS[method](encoder, {"images_per_caption": 3} if captions else {}, 4)
    seen, step = [], UpdateStep.__call__

    def counted(self, images, *rest):
        seen.append(len(images))
        return step(self, images, *rest)

    monkeypatch.setattr(UpdateStep, "__call__", counted)
    images = torch.zeros(n, 3, 48, 48, dtype=torch.uint8)
    training = Training(images, own, p.views(), p.optimisation(), labels=labels)
    curves = training.run().curves
    assert training.views_seen() == own.views * sum(seen)
    assert curves["step"][-1] == len(seen)


def test_a_page_of_the_study_shows_the_measurements_that_are_recorded(tmp_path, monkeypatch):
    plan = Plan(("noise-white", "real"), ("noise-white", "real"), seeds=2)
    monkeypatch.setattr(measuring, "plans", lambda: {"layers": plan})
    monkeypatch.setattr(Measuring, "path", property(lambda job: tmp_path / job.experiment.title))
    monkeypatch.setattr(store, "get", lambda job: job.experiment.seed)
    cpu, every = profiles.defaults("cpu"), {"noise-white": [0, 1], "real": [0, 1]}
    assert study.measured("layers", cpu) == every  # none is recorded: all are made
    (tmp_path / "noise-white seed 1").touch()
    assert study.measured("layers", cpu) == {"noise-white": [1]}
    assert study.measured("layers", study.resolve("smoke")) == {"noise-white": [0], "real": [0]}


def test_a_commit_has_a_plus_where_the_library_or_a_named_folder_differs_from_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    assert commit() == "unknown"

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *identity, *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    for folder in ("lib", "notebooks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    clean = commit("notebooks")
    assert re.fullmatch("[0-9a-f]{10}", clean)
    (tmp_path / "notebooks" / "a.py").write_text("2")
    assert (commit(), commit("notebooks")) == (clean, clean + "+")
    (tmp_path / "lib" / "a.py").write_text("2")
    assert commit() == clean + "+"


def test_the_spec_says_all_that_decides_the_result(tiny):
    base = of("noise-white", tiny).id
    for field, value in (
        ("epochs", 3),
        ("lr", 0.1),
        ("width", 0.125),
        ("hue", 0.1),
        ("n_images", 40),
        ("per_class", 10),
        ("batch_size", 8),
        ("threads", 2),
    ):
        assert of("noise-white", dataclasses.replace(tiny, **{field: value})).id != base, field
    assert of("noise-white", tiny, 1).id != base != of("real", tiny).id
    assert of("noise-white", dataclasses.replace(tiny, seeds=3)).id == base


def test_a_source_that_needs_an_encoder_names_its_record_and_gets_it_back_when_it_is_lost(
    tiny, runs
):
    job, needed = of("feature_vis-dead_leaves", tiny), of("dead_leaves-mixed", tiny)
    assert job.spec.source.encoder == needed.id  # before anything is trained
    made = store.get(job)
    path = needed.encoder_file
    assert path.exists() and store.state(needed) == "fresh"
    assert job.source().spec() == {
        key: made.spec.content["source"][key] for key in job.source().spec()
    }
    assert made.spec.source.encoder == needed.id
    before = path.read_bytes()
    path.unlink()
    assert needed.trained_encoder().read_bytes() == before
    other = dataclasses.replace(tiny, lr=0.1)
    assert len({job.id, of(job.row.name, tiny, 1).id, of(job.row.name, other).id}) == 3


def test_an_encoder_that_cannot_be_written_does_not_cost_its_training(tiny, runs, monkeypatch):
    monkeypatch.setattr("synthlearn.learn.checkpoint.SECONDS", 0.0)
    job, save = of("noise-white", tiny), encoders.save

    def full(*arguments):
        raise DataError("cannot write: no space left")

    monkeypatch.setattr(encoders, "save", full)
    with pytest.raises(DataError, match="no space left"):
        store.get(job)
    assert job.checkpoint.exists() and store.state(job) == "missing"
    monkeypatch.setattr(encoders, "save", save)
    made = store.get(job)
    assert made.cost.resumed == 1 and made.cost.failed_tries == 1
    assert not job.checkpoint.exists() and job.encoder_file.exists()


def test_a_record_that_cannot_be_written_is_named_before_the_work(tiny, runs, monkeypatch):
    job = of("noise-white", tiny)
    job.path.mkdir(parents=True)
    monkeypatch.setattr(Training, "run", lambda *a, **k: pytest.fail("trained for nothing"))
    with pytest.raises(DataError, match=r"noise-white-s0\.json"):
        store.get(job)


def test_a_damaged_record_is_named(tiny, runs):
    job = of("mean_colours", tiny)
    store.get(job)
    changed = json.loads(job.path.read_text())
    changed["spec"]["seed"] = 5
    files.write_with_digest(job.path, changed)
    with pytest.raises(DataError, match="its id is not the digest of its spec"):
        store.get(job)
    job.path.write_text("{")
    with pytest.raises(DataError, match=r"not readable as JSON .* delete it and run the row again"):
        store.get(job)


def test_other_code_makes_a_record_stale_and_an_equal_replay_confirms_it(tiny, runs, confirmations):
    job = of("noise-white", tiny)
    store.get(job)
    rewrite(job, lambda content: content["provenance"].update(code="0" * 64))
    assert store.state(job) == "stale"
    compared = store.replay(job)
    assert compared.agrees and compared.asked == "to the bit", compared
    assert store.state(job) == "fresh"

    def move(by):
        def change(content):
            content["curves"]["loss"][0] += by

        return change

    rewrite(job, move(1e-6))
    assert not store.replay(job).agrees
    # there rounding may differ, but not by more
    elsewhere = {"arithmetic": "0" * 64}
    rewrite(job, lambda content: content["provenance"]["machine"].update(elsewhere))
    confirmations.unlink()
    compared = store.replay(job)
    assert compared.agrees and compared.strict
    assert "first point of the loss up to rounding" in compared.asked
    assert store.state(job) == "fresh"
    rewrite(job, move(1e-2))
    assert store.replay(job).word == "DIFFERS"


def test_a_record_without_a_fingerprint_is_never_asked_for_bits(tiny, runs, confirmations):
    for name, words in (
        ("noise-white", "first point of the loss"),
        ("random", "for nothing is trained"),
    ):
        job = of(name, tiny)
        store.get(job)
        rewrite(job, lambda content: content["provenance"].pop("machine"))
        compared = store.replay(job)
        assert compared.agrees and words in compared.asked
        compared = store.replay(job, whole=True)
        assert compared.agrees and compared.asked != "to the bit"


def test_a_whole_run_meets_its_record_to_the_bit_and_elsewhere_what_two_runs_differ_by(
    tiny, runs, monkeypatch, confirmations
):
    job = of("noise-white", tiny)
    store.get(job)
    before = sorted(file for file in runs.rglob("*") if file.is_file())
    compared = store.replay(job, whole=True)
    assert compared.agrees and compared.asked == "to the bit" and "fc6_linear" in compared.numbers
    assert sorted(file for file in runs.rglob("*") if file.is_file()) == before  # nothing is kept

    def move(by):
        def change(content):
            content["results"]["fc6_linear"]["top1"] += by

        return change

    rewrite(job, move(1e-6))
    assert not store.replay(job, whole=True).agrees
    confirmations.unlink()
    another = {"torch": "another"}
    rewrite(job, lambda c: c["provenance"]["machine"]["libraries"].update(another))
    compared = store.replay(job, whole=True)
    # no committed run of this profile says how far runs lie apart
    assert compared.agrees and "decides nothing" in compared.asked
    monkeypatch.setattr(experiment.runs, "spread", lambda run, probe: stats.Spread(1e-4, 20))
    compared = store.replay(job, whole=True)
    assert compared.agrees and compared.asked == "within what two runs of a row differ by"
    assert compared.p > 0.9
    assert not confirmations.exists()  # another run would have agreed too
    rewrite(job, move(0.05))
    assert store.replay(job, whole=True).word == "DIFFERS"


def test_a_record_of_another_spec_is_not_compared(tiny, runs):
    job = of("mean_colours", tiny)
    store.get(job)
    rewrite(job, lambda content: content["spec"].update(measurement={"size": 1}))
    for whole in (False, True):
        compared = store.replay(job, whole)
        assert compared.word == "DIFFERS" and "make it again" in compared.numbers


def test_a_record_of_either_kind_of_device_is_the_rows(tiny, runs):
    job = of("noise-white", tiny)
    store.get(job)
    rewrite(job, lambda content: content["spec"]["numerics"].update(device="cuda"))
    assert store.state(job) == "fresh"
    rewrite(job, lambda content: content["spec"]["numerics"].update(device="abacus"))
    assert store.state(job) == "stale"


def test_pictures_as_classes_are_part_of_the_spec_and_of_the_training(tiny):
    one, usual = of("programs.one_classes", tiny), of("programs.supervised", tiny)
    assert one.spec.content["method"]["classes"] == "pictures"
    assert "classes" not in usual.spec.content["method"]
    training, n = one.training(keep=False), one.settings.n_images
    assert training.labels.tolist() == list(range(n))
    assert training.method.head.out_features == n
