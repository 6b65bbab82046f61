"""Whether two versions of the library do the same arithmetic: short starts of rows and measurements, run under both on this machine.

Bits differ between processors, so a record cannot be replayed to the bit wherever the code has changed; but two versions can be compared to
the bit anywhere. Where a start gives the same pictures, losses, weights and measurements under the version that records are fresh for and
under the one at hand, those records are confirmed.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ..core import files
from ..core.errors import DataError
from . import records, search, start
from .profiles import Profile
from .rows import Row

Job = tuple[
    str, list[dict[str, Any]]
]  # name of a row, "what:NAME" or "point:NUMBER" of the search, and its records


def confirm(
    profile: Profile,
    against: str,
    rows: Sequence[Row],
    whats: Sequence[str],
    searched: search.Search | None,
) -> Iterator[tuple[str, bool, int]]:
    """Compare the code at hand with that of a commit, and confirm the records of what is the same; ``searched``: tries of a search too.

    Yields: name of a row, measurement or point, whether both versions gave the same bits, how many records that confirmed.
    Raises: DataError when git does not have the commit, or a version cannot run the starts.
    """
    commit = _commit(against)  # before the many records are read
    rowed = records.read_all(profile.name)
    jobs = [(row.name, [r for r in rowed if r["row"] == row.name]) for row in rows]
    jobs += [(f"what:{what}", records.read_all(profile.name, what)) for what in whats]
    tries = (
        []
        if searched is None
        else [(point, record) for point, record, _ in search.made(searched, profile)]
    )
    jobs += [
        (f"point:{point}", [record for p, record in tries if p == point])
        for point in sorted({p for p, _ in tries})
    ]
    jobs = [job for job in jobs if job[1]]
    with tempfile.TemporaryDirectory() as folder:
        _extract(commit, Path(folder))
        theirs, ours = (
            _starts(Path(folder) / "lib", profile, jobs),
            _starts(files.root() / "lib", profile, jobs),
        )
        for (name, mine), (old, old_codes), (new, codes) in zip(jobs, theirs, ours, strict=True):
            number = 0
            for record, old_code, code in zip(mine, old_codes, codes, strict=True):
                known = (record["provenance"]["code"], *records.confirmed().get(record["id"], ()))
                if old == new and old_code in known and code not in known:
                    records.confirm(record, code)
                    number += 1
            yield name, old == new, number


def _commit(told: str) -> str:
    """The name of a commit, 40 or more hexadecimal digits: what is none never reaches another git command, where it could be an option.

    Raises: DataError when git does not have it.
    """
    asked = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{told}^{{commit}}"]
    try:
        found = subprocess.run(asked, cwd=files.root(), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise DataError("git is not installed, and --against needs it: install it") from error
    if found.returncode:
        raise DataError(f"git has no commit {told!r}: name one of git log")
    return found.stdout.decode("ascii").strip()


def _extract(commit: str, folder: Path) -> None:
    done = subprocess.run(
        ["git", "archive", commit, "lib"], cwd=files.root(), capture_output=True, check=False
    )
    if done.returncode:
        raise DataError(
            f"git has no lib/ in commit {commit!r} ({done.stderr.decode(errors='replace').strip()}): name a later one"
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _starts(
    library: Path, profile: Profile, jobs: Sequence[Job]
) -> Iterator[tuple[str, list[str]]]:
    """Digest and code hashes of each job under one version, as they are done."""
    environment = os.environ | {
        "PYTHONPATH": str(library),
        "SYNTHLEARN_ROOT": str(files.root()),
        "SYNTHLEARN_RUNS": str(files.runs()),
    }
    asked = json.dumps(
        [
            (
                name,
                [
                    {key: r["spec"][key] for key in ("source", "modules") if key in r["spec"]}
                    for r in mine
                ],
            )
            for name, mine in jobs
        ]
    )
    with tempfile.TemporaryFile(
        "w+", encoding="utf-8", errors="replace"
    ) as said:  # progress bars would fill a pipe
        with subprocess.Popen([sys.executable, "-P", str(start.__file__), profile.name], env=environment, encoding="utf-8", stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=said) as process:  # fmt: skip
            assert process.stdin and process.stdout
            try:
                process.stdin.write(asked)
                process.stdin.close()
                for line in process.stdout:
                    yield tuple(json.loads(line))
            except BrokenPipeError:  # it ended before it read; why is said below
                pass
            except BaseException:  # interrupted, or nobody asks for more: it must not go on alone
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            last = (said.read().strip().splitlines() or ["it says nothing"])[-1]
            raise DataError(f"{library}: this version cannot run the starts: {last}")
