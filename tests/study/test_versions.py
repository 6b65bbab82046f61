"""Two versions of the library, compared to the bit by short starts, in a checkout of their own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synthlearn import study
from synthlearn.core.errors import DataError
from synthlearn.study import jobs, start, versions

MAKE = """
from synthlearn import study
from synthlearn.study import store
store.get(study.Experiment(study.get_row("noise-white"), study.resolve("smoke"), 0))
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A git checkout of the library with one committed record, made by its first version."""
    root = tmp_path_factory.mktemp("checkout")
    for part in ("lib", "workflow"):
        shutil.copytree(
            ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    run(
        root,
        "-c",
        MAKE,
    )
    (root / "results" / "records").mkdir(parents=True)
    shutil.copytree(root / "runs" / "records" / "smoke", root / "results" / "records" / "smoke")
    return root


def run(root, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SYNTHLEARN")} | {
        "PYTHONPATH": str(root / "lib"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def verify(root, row="noise-white"):
    return run(
        root, "-m", "synthlearn", "verify", "--profile", "smoke", "--against", "HEAD", "--row", row
    )


def edit(root, old, new):
    path = root / "lib" / "synthlearn" / "learn" / "losses.py"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_records_stay_valid_where_another_version_does_the_same_and_not_where_it_does_not(checkout):
    edit(
        checkout,
        "squared = (x.float() - y.float()).square().sum(1)\n",
        "squared = (y.float() - x.float()).square().sum(1)\n",
    )
    done = verify(checkout)
    assert done.returncode == 0 and done.stdout == "same  noise-white: 1 records confirmed\n", (
        done.stdout + done.stderr
    )
    assert [
        len(codes)
        for codes in json.loads((checkout / "results" / "confirmed.json").read_text()).values()
    ] == [1]
    edit(
        checkout,
        "(y.float() - x.float()).square().sum(1)\n",
        "(y.float() - x.float()).square().sum(1) * 1.001\n",
    )
    done = verify(checkout)
    assert done.returncode == 1 and done.stdout == "DIFFERS  noise-white: 0 records confirmed\n", (
        done.stdout + done.stderr
    )


def test_a_commit_that_does_not_exist_is_named(checkout):
    done = run(
        checkout,
        "-m",
        "synthlearn",
        "verify",
        "--profile",
        "smoke",
        "--against",
        "no-such",
        "--row",
        "noise-white",
    )
    assert (
        done.returncode == 1
        and "git has no commit 'no-such'" in done.stderr
        and "name one of git log" in done.stderr
    )


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
    commit = versions._commit("HEAD")
    assert re.fullmatch("[0-9a-f]{40}", commit)
    with pytest.raises(DataError, match=f"git has no lib/ and workflow/ in commit '{commit}'"):
        versions._extract(commit, tmp_path / "out")


def test_a_version_that_cannot_run_says_why_and_one_that_is_left_is_ended(tmp_path):
    package = tmp_path / "lib" / "synthlearn" / "study"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "start.py").write_text("raise SystemExit('no such row')")
    with pytest.raises(DataError, match="cannot run the starts: no such row"):
        list(versions._starts(tmp_path, study.resolve("smoke"), "", {"x": []}))
    (package / "start.py").write_text(
        "import json, os, time\n"
        "print(json.dumps([str(os.getpid()), []]), flush=True)\n"
        "time.sleep(100)"
    )
    running = versions._starts(tmp_path, study.resolve("smoke"), "", {"x": []})
    process = int(next(running)[0])
    running.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize("name", ["layers", "private"])
def test_a_measurements_start_repeats(name):
    first = start.of_measurement(name)
    assert len(first) == 64 and first == start.of_measurement(name)
