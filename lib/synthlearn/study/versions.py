"""Whether two versions of the library do the same arithmetic: short starts of jobs, run under both
on this machine.

Bits differ between processors, so a record cannot be replayed to the bit wherever the code has
changed; but two versions can be compared to the bit anywhere. Where a start gives the same
pictures, losses, weights and measurements under the version that records are fresh for and under
the one at hand, those records are confirmed."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ..core import files
from ..core.errors import DataError
from . import records, start, store
from .experiment import Experiment
from .jobs import AnyJob
from .measuring import Measuring
from .profiles import Profile
from .records import Record

Starts = Mapping[str, Sequence[Record]]  # records by the name of the start that stands for them


@dataclass(frozen=True)
class Outcome:
    """What the start of this name said: whether both versions gave the same bits, and how many
    records that confirmed.
    """

    name: str
    same: bool
    confirmed: int


def confirm(profile: Profile, against: str, jobs: Iterable[AnyJob]) -> Iterator[Outcome]:
    """Compare the code at hand with that of a commit, and confirm the records of what is the same.

    Raises: DataError when git does not have the commit, or a version cannot run the starts.
    """
    commit = _commit(against)  # before the many records are read
    every: dict[str, dict[str, list[Record]]] = {}
    for job in jobs:
        if job.path.exists():
            search, name = _name(job)
            record = records.read(job.path, job.kind)
            every.setdefault(search, {}).setdefault(name, []).append(record)
    with tempfile.TemporaryDirectory() as folder:
        _extract(commit, Path(folder))
        for search, starts in every.items():
            old = _starts(Path(folder), profile, search, starts)
            new = _starts(files.root(), profile, search, starts)
            for name, before, now in zip(starts, old, new, strict=True):
                yield _outcome(name, starts[name], before, now)


def _name(job: AnyJob) -> tuple[str, str]:
    """The search that a job belongs to, "" for none, and the name of its start."""
    if isinstance(job, Experiment):
        return "", job.row.name
    if isinstance(job, Measuring):
        return "", f"what:{job.name}"
    return job.search.name, f"point:{job.config}"


Start = tuple[str, list[str]]  # digest of all numbers, code hash of each record


def _outcome(name: str, starts: Sequence[Record], before: Start, now: Start) -> Outcome:
    """Confirm records that are fresh under the old code, if both starts are the same."""
    same, number = before[0] == now[0], 0
    for record, old, new in zip(starts, before[1], now[1], strict=True):
        known = (record.provenance.code, *store.confirmed().get(record.id, ()))
        if same and old in known and new not in known:
            store.confirm(record.id, new)
            number += 1
    return Outcome(name.removeprefix("what:"), same, number)


def _commit(name: str) -> str:
    """The name of a commit, 40 or more hexadecimal digits: what is none never reaches another git
    command, where it could be an option.

    Raises: DataError when git does not have it.
    """
    wanted = f"{name}^{{commit}}"
    command = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", wanted]
    try:
        done = subprocess.run(command, cwd=files.root(), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise DataError("git is not installed, and --against needs it: install it") from error
    if done.returncode:
        raise DataError(f"git has no commit {name!r}: name one of git log")
    return done.stdout.decode("ascii").strip()


def _extract(commit: str, folder: Path) -> None:
    """A commit's library with its rows, as they are read by it."""
    command = ["git", "archive", commit, "lib", "workflow"]
    done = subprocess.run(command, cwd=files.root(), capture_output=True, check=False)
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()
        lacks = f"git has no lib/ and workflow/ in commit {commit!r}"
        raise DataError(f"{lacks} ({why}): name a later one")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _starts(root: Path, profile: Profile, search: str, starts: Starts) -> Iterator[Start]:
    """Digest and code hashes of each start under one version, as they are done."""
    environment = os.environ | {
        "PYTHONPATH": str(root / "lib"),
        "SYNTHLEARN_ROOT": str(root),
        "SYNTHLEARN_RUNS": str(files.runs()),
    }
    command = [sys.executable, "-P", "-m", start.__name__, profile.name, search]
    wanted = json.dumps([(name, [r.spec.content for r in each]) for name, each in starts.items()])
    # progress bars would fill a pipe
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command,
            env=environment,
            encoding="utf-8",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process:
            yield from _answers(process, wanted)
        if process.returncode:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["it says nothing"])[-1]
            raise DataError(f"{root}: this version cannot run the starts: {last}")


def _answers(process: "subprocess.Popen[str]", wanted: str) -> Iterator[Start]:
    assert process.stdin and process.stdout
    try:
        process.stdin.write(wanted)
        process.stdin.close()
        for line in process.stdout:
            digest, codes = json.loads(line)
            yield digest, codes
    except BrokenPipeError:  # it ended before it read; its last words are said by the caller
        pass
    except BaseException:  # interrupted, or nobody asks for more: it must not go on alone
        process.kill()
        raise
