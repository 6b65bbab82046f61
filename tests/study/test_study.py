"""Rows, profiles, records: strict settings, caching, staleness, replay, claims."""

import dataclasses
import json
import multiprocessing
import random
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

from synthlearn import study
from synthlearn.core import files, stats
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.generators import generator
from synthlearn.learn import encoders, methods, train
from synthlearn.learn.step import UpdateStep
from synthlearn.study import measurements, profiles, records, run
from synthlearn.study.rows import spec

TINY = {"n_images": 32, "epochs": 2, "batch_size": 16, "width": 1 / 16, "per_class": 20}


@pytest.fixture
def tiny():
    return study.resolve("smoke", **TINY)


def test_a_record_is_made_once_and_read_back(tiny, runs):
    row = study.row("noise-white")
    assert run.state(row, tiny, 0) == "missing"
    made = study.record(row, tiny, 0)
    path = run.path(row, tiny, 0)
    stamp = path.stat().st_mtime_ns
    assert (
        run.state(row, tiny, 0) == "fresh"
        and study.record(row, tiny, 0) == made
        and path.stat().st_mtime_ns == stamp
    )
    assert list(json.loads(path.read_text())) == sorted([*made, "digest"]) and not list(
        (runs / "checkpoints").glob("*")
    )
    result = study.metric(made)
    assert result["low"] <= result["top1"] <= result["high"] and records.unpack(
        result["correct"], result["n"]
    ).mean() == pytest.approx(result["top1"], abs=1e-6)
    assert made["cost"]["views"] == 2 * TINY["n_images"] * TINY["epochs"]
    assert run.read_filters(made).shape == (6, 3, 3, 3) and len(made["curves"]["loss"]) == 4
    assert {"commit", "code", "device", "machine", "threads", "torch", "date"} <= made[
        "provenance"
    ].keys()


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
    own = methods.METHODS[method](
        encoders.build(p.encoder, p.width, p.crop, 0),
        {"images_per_caption": 3} if captions else {},
        4,
    )
    seen, step = [], UpdateStep.__call__

    def counted(self, images, *rest):
        seen.append(len(images))
        return step(self, images, *rest)

    monkeypatch.setattr(UpdateStep, "__call__", counted)
    images = torch.zeros(n, 3, 48, 48, dtype=torch.uint8)
    training = train.Training(images, own, p.augmenter(), p.optimisation(), labels=labels)
    curves = training.run().curves
    assert training.views_seen() == own.views * sum(seen)
    assert records.updates({"curves": curves}) == len(seen)


def test_a_page_of_the_study_shows_the_measurements_that_are_recorded(tmp_path, monkeypatch):
    rows = [(study.row("noise-white"), 0), (study.row("noise-white"), 1), (study.row("real"), 0)]
    monkeypatch.setattr(measurements, "planned", lambda what, profile: rows)
    monkeypatch.setattr(
        measurements, "path", lambda what, row, profile, seed: tmp_path / f"{row.name}-{seed}"
    )
    monkeypatch.setattr(measurements, "measurement", lambda what, row, profile, seed: seed)
    cpu = profiles.defaults("cpu")
    assert measurements.measured("layers", cpu) == {
        "noise-white": [0, 1],
        "real": [0],
    }  # none is recorded: all are made
    (tmp_path / "noise-white-1").touch()
    assert measurements.measured("layers", cpu) == {"noise-white": [1]}
    assert measurements.measured("layers", study.resolve("smoke")) == {
        "noise-white": [0, 1],
        "real": [0],
    }


def test_a_commit_has_a_plus_where_the_library_or_a_named_folder_differs_from_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    assert run.commit() == "unknown"

    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    for folder in ("lib", "notebooks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    clean = run.commit("notebooks")
    assert re.fullmatch("[0-9a-f]{10}", clean)
    (tmp_path / "notebooks" / "a.py").write_text("2")
    assert (run.commit(), run.commit("notebooks")) == (clean, clean + "+")
    (tmp_path / "lib" / "a.py").write_text("2")
    assert run.commit() == clean + "+"


def test_an_untrained_encoder_has_made_no_update():
    assert records.updates({"curves": {}}) == 0


def test_the_spec_says_all_that_decides_the_result(tiny):
    row = study.row("noise-white")
    base = files.digest(spec(row, tiny, 0))
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
        assert files.digest(spec(row, dataclasses.replace(tiny, **{field: value}), 0)) != base, (
            field
        )
    assert (
        files.digest(spec(row, tiny, 1)) != base
        and files.digest(spec(study.row("real"), tiny, 0)) != base
    )
    assert files.digest(spec(row, dataclasses.replace(tiny, seeds=3), 0)) == base


def test_a_source_that_needs_an_encoder_names_its_record_and_gets_it_back_when_it_is_lost(
    tiny, runs
):
    row, needed = study.row("feature_vis-dead_leaves"), study.row("dead_leaves-mixed")
    identity = files.digest(spec(needed, tiny, 0))
    assert row.source_spec(tiny, 0)["options"]["encoder"] == identity  # before anything is trained
    made = study.record(row, tiny, 0)
    path = run.encoder_file(identity)
    assert path.exists() and run.state(needed, tiny, 0) == "fresh"
    assert (
        row.source(tiny, 0).spec() == row.source_spec(tiny, 0)
        and made["spec"]["source"]["options"]["encoder"] == identity
    )
    before = path.read_bytes()
    path.unlink()
    assert run.trained_encoder(needed, tiny, 0).read_bytes() == before
    assert (
        files.digest(spec(row, tiny, 1))
        != files.digest(spec(row, tiny, 0))
        != files.digest(spec(row, dataclasses.replace(tiny, lr=0.1), 0))
    )


def test_an_encoder_that_cannot_be_written_does_not_cost_its_training(tiny, runs, monkeypatch):
    monkeypatch.setattr("synthlearn.learn.checkpoint.SECONDS", 0.0)
    row, save = study.row("noise-white"), encoders.save

    def full(*arguments):
        raise DataError("cannot write: no space left")

    monkeypatch.setattr(encoders, "save", full)
    with pytest.raises(DataError, match="no space left"):
        study.record(row, tiny, 0)
    identity = files.digest(spec(row, tiny, 0))
    assert run.checkpoint(identity).exists() and run.state(row, tiny, 0) == "missing"
    monkeypatch.setattr(encoders, "save", save)
    made = study.record(row, tiny, 0)
    assert made["cost"]["resumed"] == 1 and made["cost"]["failed_tries"] == 1
    assert not run.checkpoint(identity).exists() and run.encoder_file(identity).exists()


def test_a_record_that_cannot_be_written_is_named_before_the_work(tiny, runs, monkeypatch):
    row = study.row("noise-white")
    run.path(row, tiny, 0).mkdir(parents=True)
    monkeypatch.setattr(train, "pretrain", lambda *a, **k: pytest.fail("trained for nothing"))
    with pytest.raises(DataError, match=r"noise-white-s0\.json"):
        study.record(row, tiny, 0)


def test_a_damaged_record_is_named(tiny, runs):
    row = study.row("mean_colours")
    study.record(row, tiny, 0)
    path = run.path(row, tiny, 0)
    changed = json.loads(path.read_text())
    changed["spec"]["seed"] = 5
    path.write_text(json.dumps(changed))
    with pytest.raises(DataError, match="its id is not the digest of its spec"):
        study.record(row, tiny, 0)
    path.write_text("{")
    with pytest.raises(DataError, match=r"not readable as JSON .* delete it and run the row again"):
        study.record(row, tiny, 0)


def test_other_code_makes_a_record_stale_and_an_equal_replay_confirms_it(
    tiny, runs, monkeypatch, tmp_path
):
    row = study.row("noise-white")
    study.record(row, tiny, 0)
    path = run.path(row, tiny, 0)
    record = records.read(path)
    record["provenance"]["code"] = "0" * 64
    records.write(path, record)
    monkeypatch.setattr(records, "_confirmations", lambda: tmp_path / "confirmed.json")
    assert run.state(row, tiny, 0) == "stale"
    (found,) = run.replay(row, tiny, 0)
    assert found.agrees and found.asked == "to the bit", found
    assert run.state(row, tiny, 0) == "fresh"
    record["curves"]["loss"][0] += 1e-6
    records.write(path, record)
    assert not run.replay(row, tiny, 0)[0].agrees
    record["provenance"]["machine"]["arithmetic"] = (
        "0" * 64
    )  # there rounding may differ, but not by more
    (tmp_path / "confirmed.json").unlink()
    records.write(path, record)
    (found,) = run.replay(row, tiny, 0)
    assert found.agrees and found.strict and "first point of the loss up to rounding" in found.asked
    assert run.state(row, tiny, 0) == "fresh"
    record["curves"]["loss"][0] += 1e-2
    records.write(path, record)
    assert run.replay(row, tiny, 0)[0].word == "DIFFERS"


def test_a_record_without_a_fingerprint_is_never_asked_for_bits(tiny, runs, monkeypatch, tmp_path):
    monkeypatch.setattr(records, "_confirmations", lambda: tmp_path / "confirmed.json")
    for name, words in (
        ("noise-white", "first point of the loss"),
        ("random", "for nothing is trained"),
    ):
        row = study.row(name)
        path = run.path(row, tiny, 0)
        record = json.loads(json.dumps(study.record(row, tiny, 0)))
        del record["provenance"]["machine"]
        records.write(path, record)
        (found,) = run.replay(row, tiny, 0)
        assert found.agrees and words in found.asked
        (found,) = run.rerun(row, tiny, 0)
        assert found.agrees and found.asked != "to the bit"


def test_a_whole_run_meets_its_record_to_the_bit_and_elsewhere_what_two_runs_differ_by(
    tiny, runs, monkeypatch, tmp_path
):
    monkeypatch.setattr(records, "_confirmations", lambda: tmp_path / "confirmed.json")
    row = study.row("noise-white")
    study.record(row, tiny, 0)
    path = run.path(row, tiny, 0)
    before = sorted(file for file in runs.rglob("*") if file.is_file())
    (found,) = run.rerun(row, tiny, 0)
    assert found.agrees and found.asked == "to the bit" and "fc6_linear" in found.said
    assert sorted(file for file in runs.rglob("*") if file.is_file()) == before  # nothing is kept
    record = records.read(path)
    main = record["results"]["fc6_linear"]
    main["top1"] += 1e-6
    records.write(path, record)
    assert not run.rerun(row, tiny, 0)[0].agrees
    (tmp_path / "confirmed.json").unlink()
    record["provenance"]["machine"]["libraries"]["torch"] = "another"
    records.write(path, record)
    (found,) = run.rerun(row, tiny, 0)
    assert (
        found.agrees and "decides nothing" in found.asked
    )  # no committed run of this profile says how far runs lie apart
    monkeypatch.setattr(run.inference, "spread", lambda record, name: stats.Spread(1e-4, 20))
    (found,) = run.rerun(row, tiny, 0)
    assert (
        found.agrees and found.asked == "within what two runs of a row differ by" and found.p > 0.9
    )
    assert not (tmp_path / "confirmed.json").exists()  # another run would have agreed too
    main["top1"] += 0.05
    records.write(path, record)
    assert run.rerun(row, tiny, 0)[0].word == "DIFFERS"


def test_a_record_of_another_spec_is_not_compared(tiny, runs):
    row = study.row("mean_colours")
    record = {**study.record(row, tiny, 0)}
    record["spec"] = {**record["spec"], "measurement": {"size": 1}}
    records.write(run.path(row, tiny, 0), {**record, "id": files.digest(record["spec"])})
    for found in (*run.replay(row, tiny, 0), *run.rerun(row, tiny, 0)):
        assert found.word == "DIFFERS" and "run it again" in found.said


def test_a_record_of_either_kind_of_device_is_the_rows(tiny, runs):
    row = study.row("noise-white")
    study.record(row, tiny, 0)
    path = run.path(row, tiny, 0)
    record = records.read(path)
    record["spec"]["numerics"]["device"] = "cuda"
    records.write(path, record | {"id": files.digest(record["spec"])})
    assert run.state(row, tiny, 0) == "fresh"
    record["spec"]["numerics"]["device"] = "abacus"
    records.write(path, record | {"id": files.digest(record["spec"])})
    assert run.state(row, tiny, 0) == "stale"


def test_profiles_hold_no_field_that_nobody_knows():
    for name in profiles.NAMES:
        if name in ("smoke", "cpu"):
            assert study.resolve(name).name == name


def test_pictures_as_classes_are_part_of_the_spec_and_of_the_training(tiny):
    row, usual = study.row("programs.one_classes"), study.row("programs.supervised")
    assert (
        spec(row, tiny, 0)["method"]["classes"] == "pictures"
        and "classes" not in spec(usual, tiny, 0)["method"]
    )
    p = row.profile(tiny)
    method, labels = study.method_of(row, p, 0, row.source(tiny, 0))
    assert labels.tolist() == list(range(p.n_images)) and method.head.out_features == p.n_images


