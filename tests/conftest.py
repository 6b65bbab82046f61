"""Shared settings of the tests: one thread per worker, and runs/ away from the checkout."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault(
    "SYNTHLEARN_RUNS", str(Path(tempfile.gettempdir()) / f"synthlearn-tests-{os.getpid()}")
)

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty runs/ folder for one test."""
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def committed(monkeypatch):
    """Committed records are read by tests, never made again: a stale one would take minutes, and change the checkout."""
    from synthlearn.core import files
    from synthlearn.study import records

    write, results = records.write, files.root() / "results"

    def guarded(path, record):
        if results in path.parents:
            pytest.fail(
                f"a test makes a committed record again: {path.name} (stale? see make status)"
            )
        write(path, record)

    monkeypatch.setattr(records, "write", guarded)


@pytest.fixture
def no_data(monkeypatch):
    """A machine without image archives."""
    monkeypatch.delenv("SYNTHLEARN_DATA", raising=False)
