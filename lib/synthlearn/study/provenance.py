"""Where and by what a record is made."""

import datetime
import platform
import resource
import subprocess

import torch

from ..core import files, machine
from .code import code_of
from .records import Provenance, Spec


def provenance(spec: Spec, device: str) -> Provenance:
    """Of a job that is about to run here; taken before it, for the code may be edited meanwhile."""
    return Provenance(
        commit=commit(),
        code=code_of(spec),
        device=machine.device_name(device),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        date=now(),
        machine=machine.fingerprint(device),
    )


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def commit(*folders: str) -> str:
    """The checkout's commit, with a plus sign when files in the library, or in ``folders`` too,
    differ from it; "unknown" outside git."""
    try:
        changed = git("status", "--porcelain", "--", "lib", *folders)
        return git("rev-parse", "--short=10", "HEAD").decode().strip() + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def git(*arguments: str) -> bytes:
    """What git says in the checkout. Raises OSError where there is none, CalledProcessError."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=files.root(), capture_output=True, check=True).stdout


def peak_memory(device: str) -> int:
    """Most memory this process has used, in MB: of the card on one, of the machine otherwise."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
