"""Whether two versions of the library do the same arithmetic: short starts of jobs, run under both
on this machine.

Bits differ between processors, so a record cannot be replayed to the bit wherever the code has
changed; but two versions can be compared to the bit anywhere. Where a start gives the same
images, losses, weights and measurements under the version that records are fresh for and under
the one at hand, those records are confirmed."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from ..core import files
from ..core.errors import DataError
from . import records, start, store
from .experiment import Experiment
from .jobs import AnyJob
from .measuring import Measuring
from .profiles import Profile
from .provenance import git
from .records import Record

Starts = Mapping[str, Sequence[Record]]  # records by the name of the start that stands for them
Answer = tuple[str, list[str]]  # digest of all numbers of a start, code hash of each record
Outcome = tuple[str, bool, int]  # a start, whether both gave the same bits, records confirmed


def confirm(profile: Profile, against: str, jobs: Iterable[AnyJob]) -> Iterator[Outcome]:
    """Compare the code at hand with that of a commit, and confirm the records of what is the same.

    Raises: DataError when git does not have the commit, or a version cannot run the starts.
    """
    with tempfile.TemporaryDirectory() as folder:
        _extract(against, Path(folder))  # before the many records are read
        searches: dict[str, dict[str, list[Record]]] = {}
        for job in jobs:
            if job.path.exists():
                search, name = _name(job)
                record = records.read(job.path, job.kind)
                searches.setdefault(search, {}).setdefault(name, []).append(record)
        for search, starts in searches.items():
            old = _answers(Path(folder), profile, search, starts)
            new = _answers(files.root(), profile, search, starts)
            for name, (before, was), (now, codes) in zip(starts, old, new, strict=True):
                same = before == now
                each = zip(starts[name], was, codes, strict=True)
                number = sum(same and _renew(*one) for one in each)
                yield name.removeprefix("what:"), same, number


def _name(job: AnyJob) -> tuple[str, str]:
    """The search that a job belongs to, "" for none, and the name of its start."""
    match job:
        case Experiment():
            return "", job.row.name
        case Measuring():
            return "", f"what:{job.name}"
    return job.search.name, f"point:{job.config}"


def _renew(record: Record, was: str, code: str) -> bool:
    """Confirm a record that is fresh under the old code, if it is not under the one at hand."""
    known = store.codes_of(record)
    if renewed := was in known and code not in known:
        store.confirm(record.id, code)
    return renewed


def _extract(name: str, folder: Path) -> None:
    """A commit's library and the rows that it reads.

    Raises: DataError when git does not have them.
    """
    try:
        # what names no commit never reaches another command, where it could be an option
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        content = git("archive", commit.decode().strip(), "lib", "workflow")
    except (OSError, subprocess.CalledProcessError) as error:
        wrong = f"git has no commit {name!r} with lib/ and workflow/"
        raise DataError(f"{wrong}: name one of git log") from error
    # Python 3.11.4 and later can be told to write nothing outside the folder; git's archives do not
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        archive.extractall(folder, **safe)  # type: ignore[arg-type]


def _answers(root: Path, profile: Profile, search: str, starts: Starts) -> Iterator[Answer]:
    """What each start gives under the version that lies in a folder, as they are done."""
    of_version = {"PYTHONPATH": str(root / "lib"), "SYNTHLEARN_ROOT": str(root)}
    environment = {**os.environ, "SYNTHLEARN_RUNS": str(files.runs()), **of_version}
    command = [sys.executable, "-P", "-m", start.__name__, profile.name, search]
    wanted = [(name, [r.spec.content for r in each]) for name, each in starts.items()]
    # files, for a pipe would be filled: by progress bars, or by specs that nobody reads
    with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile() as errors:
        json.dump(wanted, asked)
        asked.seek(0)
        with subprocess.Popen(
            command, env=environment, stdin=asked, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process:
            assert process.stdout
            try:
                yield from map(json.loads, process.stdout)
            except BaseException:  # interrupted, or nobody asks for more: it must not go on alone
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip() or "it says nothing"
            raise DataError(f"{root}: this version cannot run the starts: {last.splitlines()[-1]}")
