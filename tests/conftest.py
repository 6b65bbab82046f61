"""Shared settings of the tests: one thread per worker, and runs/ away from the checkout."""

import multiprocessing
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

os.environ.setdefault(
    "SYNTHLEARN_RUNS", str(Path(tempfile.gettempdir()) / f"synthlearn-tests-{os.getpid()}")
)

import pytest
import torch

from synthlearn.core import files

torch.set_num_threads(1)


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
    """Begins a process that calls a function: a fork, which has the libraries already."""

    def begin(function, *arguments):
        process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
        process.start()
        return process

    return begin


@pytest.fixture(scope="session")
def shell():
    """Runs a command line as a reader types it, in an environment without settings of ours.

    Python needs five seconds of a core to load the libraries. So ``python -m`` and ``python -c``
    are forked from this process, which has them; of the project's modules they import those of
    ``library``. ``fresh``: a new Python all the same. ``status``: that the command must end with.
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
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            if words[1:2] in (["-m"], ["-c"]) and not fresh:
                path = [str(where), *map(str, library)]
                process = multiprocessing.get_context("fork").Process(
                    target=_python, args=(words[1:], where, path, environment, output, errors)
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


def _python(words, where, path, environment, output, errors):
    """``python WORDS`` in this process, a fork, as if Python had just begun."""
    sys.stdout, sys.stderr = output, errors
    for number, file in ((1, output), (2, errors)):
        os.dup2(file.fileno(), number)
    os.chdir(where)
    os.environ.clear()
    os.environ.update(environment)
    for name in list(sys.modules):
        own = name.partition(".")[0] in ("synthlearn", "benchmarks")
        if own and name != "synthlearn.core.vision":  # declares operators, which works once
            del sys.modules[name]
    sys.path[:0] = path
    sys.argv = words[1:]
    code = 0
    try:
        if words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            exec(words[1], {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
