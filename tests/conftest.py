"""Shared settings of the tests: one thread per worker, and runs/ away from the checkout."""

import multiprocessing
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault(
    "SYNTHLEARN_RUNS", str(Path(tempfile.gettempdir()) / f"synthlearn-tests-{os.getpid()}")
)

import pytest
import torch
from as_python import alone, as_python

from synthlearn.core import files

torch.set_num_threads(1)
# A fork of this process would wait for ever for the threads that some test has left in OpenMP;
# that of a server which has imported the libraries, and done nothing yet, does not.
HEAVY = ["synthlearn.__main__", "scipy.stats", "sklearn.linear_model", "matplotlib.pyplot"]
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(HEAVY)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty runs/ folder for one test."""
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def committed(monkeypatch):
    """Committed records are read by tests, never made again.

    A stale one would take minutes, and change the checkout.
    """
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


@pytest.fixture(scope="session")
def fork():
    """Begins a process that calls a function: a fork, which has the libraries already.

    A CUDA build of torch begins threads at the first gradient, and no fork has them.
    """
    if torch.backends.cuda.is_built():
        pytest.skip("a CUDA build of torch: no gradients in a fork")

    def begin(function, *arguments):
        process = multiprocessing.get_context("fork").Process(
            target=alone, args=(function, *arguments)
        )
        process.start()
        return process

    return begin


@pytest.fixture(scope="session")
def shell():
    """Runs a command line as a reader types it, in an environment without settings of ours.

    Python needs five seconds of a core to load the libraries. So ``python -m`` and ``python -c``
    are forked from a process that has them; the project's modules they import from ``library``.
    ``fresh``: a new Python all the same. ``status``: that the command must end with.
    """

    def call(command, where, library=(files.root() / "lib",), fresh=False, status=0, **settings):
        kept = {name: value for name, value in os.environ.items() if "SYNTHLEARN" not in name}
        environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, library)),
            "OMP_NUM_THREADS": "1",
            **settings,
        }
        words = shlex.split(command) if command.startswith("python ") else [command]
        with (
            tempfile.NamedTemporaryFile("w+") as output,
            tempfile.NamedTemporaryFile("w+") as errors,
        ):
            if words[1:2] in (["-m"], ["-c"]) and not fresh:
                path = [str(where), *map(str, library)]
                printed = (output.name, errors.name)
                process = FORKSERVER.Process(
                    target=as_python, args=(words[1:], where, path, environment, printed)
                )
                process.start()
                process.join()
                code = process.exitcode
            else:
                code = subprocess.run(
                    ["bash", "-ec", command],
                    cwd=where,
                    env=environment,
                    stdout=output,
                    stderr=errors,
                    check=False,
                ).returncode
            texts = [file.seek(0) or file.read() for file in (output, errors)]
        assert code == status, "\n".join([command, *texts])
        return subprocess.CompletedProcess(command, code, *texts)

    return call
