"""Two versions of the library, compared to the bit by short starts, in a checkout of their own."""

import dataclasses
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from synthlearn import study
from synthlearn.__main__ import main
from synthlearn.core.errors import DataError
from synthlearn.study import jobs, measuring, start, versions

ROWS = ("noise-white", "real.simclr")
MAKE = """
from synthlearn import study
few = study.resolve("smoke", n_images=32, epochs=1, width=1 / 16, per_class=20)
for row in ROWS:
    study.store.get(study.Experiment(study.get_row(row), few, 0))
"""
ROOT = Path(__file__).resolve().parents[2]
SQUARED = "squared = (x.float() - y.float()).square().sum(1)\n"
ENTROPY = "return functional.cross_entropy(_others(z, temperature), partner)\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, shell):
    """A git checkout of the library with two committed records, made by its first version."""
    root = tmp_path_factory.mktemp("checkout")
    for part in ("lib", "workflow"):
        shutil.copytree(
            ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    shell(f"python -c '{MAKE.replace('ROWS', json.dumps(ROWS))}'", root, [root / "lib"])
    (root / "results" / "records").mkdir(parents=True)
    shutil.copytree(root / "runs" / "records" / "smoke", root / "results" / "records" / "smoke")
    return root


def edit(root, old, new):
    path = root / "lib" / "synthlearn" / "learn" / "losses.py"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_records_stay_valid_where_another_version_does_the_same_and_not_where_it_does_not(
    checkout, shell
):
    edit(checkout, SQUARED, "squared = (y.float() - x.float()).square().sum(1)\n")
    edit(checkout, ENTROPY, ENTROPY.replace("temperature", "1.001 * temperature"))
    rows = " ".join(f"--row {row}" for row in ROWS)
    command = f"python -m synthlearn verify --profile smoke --against HEAD {rows}"
    done = shell(command, checkout, [checkout / "lib"], status=1)
    same, differs = ROWS
    assert done.stdout.splitlines() == [
        f"same  {same}: 1 records confirmed",
        f"DIFFERS  {differs}: 0 records confirmed",
    ], done.stderr
    confirmed = json.loads((checkout / "results" / "confirmed.json").read_text())
    assert [len(codes) for codes in confirmed.values()] == [1]


@pytest.mark.parametrize(("same", "status"), [((True, True), 0), ((True, False), 1)])
def test_the_command_fails_where_one_start_differs(same, status, monkeypatch):
    starts = [("real", each, int(each)) for each in same]
    monkeypatch.setattr(versions, "confirm", lambda *_: iter(starts))
    assert main(["verify", "--profile", "smoke", "--against", "HEAD"]) == status


def test_a_commit_that_does_not_exist_is_named(capsys):
    assert main(["verify", "--profile", "smoke", "--against", "no-such"]) == 1
    error = capsys.readouterr().err
    assert "git has no commit 'no-such'" in error and "name one of git log" in error


@pytest.mark.parametrize(
    "against", ["--output=FILE", "--remote=.", "HEAD:lib", "HEAD^{tree}", "-o"]
)
def test_what_is_no_commit_never_reaches_git_archive(against, tmp_path, monkeypatch):
    monkeypatch.setattr("synthlearn.study.versions.files.root", lambda: tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    identify = ["-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run(
        ["git", *identify, "commit", "-q", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True
    )
    monkeypatch.setattr(
        "synthlearn.study.records.read",
        lambda *_: pytest.fail("records are read for no commit"),
    )
    profile = study.resolve("smoke")
    with pytest.raises(DataError, match="git has no commit"):
        next(versions.confirm(profile, against, jobs.experiments(profile)))
    assert [path.name for path in tmp_path.iterdir()] == [".git"]
    with pytest.raises(DataError, match="git has no commit 'HEAD' with lib/ and workflow/"):
        next(versions.confirm(profile, "HEAD", jobs.experiments(profile)))


def test_a_version_that_cannot_run_says_why_and_one_that_is_left_is_ended(tmp_path):
    package = tmp_path / "lib" / "synthlearn" / "study"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "start.py").write_text("raise SystemExit('no such row')")
    with pytest.raises(DataError, match="cannot run the starts: no such row"):
        list(versions._answers(tmp_path, study.resolve("smoke"), "", {"x": []}))
    (package / "start.py").write_text(
        "import json, os, time\n"
        "print(json.dumps([str(os.getpid()), []]), flush=True)\n"
        "time.sleep(100)"
    )
    running = versions._answers(tmp_path, study.resolve("smoke"), "", {"x": []})
    process = int(next(running)[0])
    running.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize(
    ("name", "options"),
    [("layers", {}), ("private", {"smoke": {"epsilons": [8.0], "public": "orientation"}})],
)
def test_a_measurements_start_repeats(name, options, monkeypatch):
    """Of one row, which is trained if any is; whatever the number of pictures and images."""
    few = {"n_images": 32, "epochs": 1, "width": 1 / 16, "per_class": 20}
    monkeypatch.setattr(start, "resolve", functools.partial(study.resolve, **few))
    plan = start.plans()[name]
    one = dataclasses.replace(plan, smoke=plan.smoke[-1:], options=options)
    for module in (start, measuring):
        monkeypatch.setattr(module, "plans", lambda: {name: one})
    first = start.of_measurement(name)
    assert len(first) == 64 and first == start.of_measurement(name)


def test_a_start_is_of_rows_named_for_it_where_the_smoke_profile_measures_none():
    smoke, plans = study.resolve("smoke"), measuring.plans()
    for name, plan in plans.items():
        rows = [experiment.row.name for experiment in plan.of_start(smoke)]
        assert rows == [*(plan.smoke or plan.starts)] and rows, name
    assert not plans["neutral"].experiments(smoke)
