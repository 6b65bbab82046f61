"""Files: where things live, atomic writes, locks, checksums, and tensors without pickle.

What is stored is sealed: a SHA-256 over the content, made when it is written and checked when it
is read, so that a flipped bit is an error and not a result.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .errors import CheckpointError, DataError, OutOfTime, ParameterError, SynthlearnError

TEMPORARY = ".tmp~"  # suffix of a file that is being written
LARGEST_HEADER = 1 << 26  # bytes of a safetensors header that are read
_swept: set[Path] = set()  # folders that this process has looked through
_checked: set[tuple[Any, ...]] = set()  # sealed files that this process has read whole


def root() -> Path:
    """The project's checkout: ``SYNTHLEARN_ROOT``, else the folder above this library, else the
    working directory.

    Raises: ParameterError when the variable names no folder.
    """
    if folder := os.environ.get("SYNTHLEARN_ROOT"):
        if not Path(folder).is_dir():
            remedy = "name the project's checkout, or unset it"
            raise ParameterError(f"SYNTHLEARN_ROOT = {folder!r}: no such folder; {remedy}")
        return Path(folder)
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "workflow" / "study.toml").exists() else Path.cwd()


def runs() -> Path:
    """Folder of everything that can be made again (checkpoints, pools, encoders):
    ``SYNTHLEARN_RUNS`` or ``runs/``."""
    return Path(os.environ.get("SYNTHLEARN_RUNS") or root() / "runs")


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there; no name is too long to ask."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def check_target(path: Path) -> None:
    """Raise DataError unless ``path`` can be written: call it before the work whose result goes
    there.

    Only a regular file is ever replaced: not a folder, a device, a pipe or a link.
    """
    path = Path(path)
    _refuse_what_is_no_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null
        raise _unwritable(path, error) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "a device"
        raise DataError(
            f"cannot write {path}: it is {kind}, and only files are replaced; choose another name"
        )


def _unwritable(path: Path, error: Exception) -> DataError:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = (
        "free some space (make clean), or choose another folder" if full else "choose another place"
    )
    return DataError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}; {remedy}")


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place on success, remove it on any
    failure.

    The temporary file is locked while it is written, so those of killed processes can be told from
    those of living ones: a process removes them before it first writes into a folder.

    Raises DataError naming ``path`` when it is something else than a file, or cannot be written
    (full disk, file-size limit, permissions).
    """
    path = Path(path)
    _refuse_what_is_no_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:100]}.", suffix=TEMPORARY
        )
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in ``folder``, once for each process."""
    if folder.absolute() in _swept:
        return
    _swept.add(folder.absolute())
    # as mkstemp names them; others' are left alone
    for path in folder.glob(f".*.????????{TEMPORARY}"):
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
            path.unlink()


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Keep other processes that lock ``path`` out, from reading to writing it; the lock is a file
    beside it, removed afterwards.

    Raises: DataError when the lock cannot be made, or is taken and ``wait`` is false.
    """
    lock = path.with_name(f".{path.name}.lock")
    handle = _taken(lock, wait)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _taken(lock: Path, wait: bool) -> int:
    """Handle of a lock file that is ours alone."""
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DataError(
                f"{lock.parent}: another process is writing there; wait until it has ended"
            ) from error
        except OSError as error:
            raise _unwritable(lock, error) from error
        # its last owner may have removed it while we waited
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == lock.stat().st_ino:
                return handle
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys atomically."""
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def read_json(
    path: Path,
    error: type[SynthlearnError] = DataError,
    remedy: str = "delete it and make it again",
) -> dict[str, Any]:
    """A JSON object from a file.

    Raises: ``error``, in one line with ``remedy``, for a file that cannot be read, is not UTF-8, or
    holds no object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    # UnicodeDecodeError and JSONDecodeError are ValueErrors
    except (OSError, ValueError, RecursionError) as cause:
        why = getattr(cause, "strerror", None) or f"{type(cause).__name__}: {cause}"
        raise error(f"{path}: not readable as JSON ({why}); {remedy}") from cause
    if not isinstance(value, dict):
        raise error(f"{path}: holds a JSON {type(value).__name__}, not an object; {remedy}")
    return value


def read_workflow(name: str) -> dict[str, Any]:
    """A table of the checkout's ``workflow`` folder by its file's name.

    Raises: DataError where there is no checkout, or the table is damaged.
    """
    path = root() / "workflow" / name
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; the study needs the project's checkout: call it from "
            f"there, or name it in SYNTHLEARN_ROOT"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: not TOML ({error}); mend it, or restore it from git") from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file. Raises DataError when that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form, in hexadecimal."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def write_with_digest(path: Path, value: dict[str, Any]) -> None:
    """Write JSON with a "digest" over the rest of it, atomically."""
    content = json.loads(json.dumps({k: v for k, v in value.items() if k != "digest"}))
    write_json(path, {**content, "digest": digest(content)})


def read_with_digest(path: Path, remedy: str = "restore it from git") -> dict[str, Any]:
    """A JSON object by :func:`write_with_digest`, without its digest.

    Raises: DataError for a file that is damaged or was changed by hand.
    """
    content = read_json(path, DataError, remedy)
    if content.pop("digest", None) != digest(content):
        wrong = "damaged or changed by hand, its digest is not that of its content"
        raise DataError(f"{path}: {wrong}; {remedy}")
    return content


# Sealed files are safetensors whose JSON header holds, beside what its writer wants to say, "seal":
# SHA-256 over the digest of the data and the header itself, in which the seal is then 64 zeros.
OPEN = "0" * 64


def _with_seal(head: bytes, old: str, new: str) -> bytes:
    """A head with another seal in it: JSON in a string of JSON, hence the backslashes."""
    return head.replace(rf"\"seal\": \"{old}".encode(), rf"\"seal\": \"{new}".encode())


def _seal(head: bytes, data: "hashlib._Hash") -> str:
    """The seal of a file with this open head (length and header, the seal in it still zeros) and
    these hashed bytes of data."""
    return hashlib.sha256(data.digest() + head).hexdigest()


def _read_head(stream: BinaryIO) -> tuple[bytes, dict[str, Any], Any]:
    """Head as it is, tensors' entries and the writer's header, from the start of a sealed file;
    ValueError, KeyError or TypeError for another."""
    length = stream.read(8)
    size = int.from_bytes(length, "little")
    if len(length) < 8 or size > LARGEST_HEADER:
        raise ValueError("no safetensors header")
    text = stream.read(size)
    entries = json.loads(text)
    header = json.loads(entries.pop("__metadata__", {}).get("synthlearn", "null"))
    return length + text, entries, header


def _checked_head(path: Path) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Length of the head, tensors' entries and header of a sealed file, whose seal holds.

    Raises: CheckpointError.
    A file is read whole once for each process that uses it, and again when it has changed since.
    """
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            known = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
            head, entries, header = _read_head(stream)
            if not isinstance(header, dict):  # another program's: not to be deleted
                raise CheckpointError(
                    f"{path}: not of synthlearn, it has no header of ours; give another file, as "
                    f"`python -m synthlearn pretrain` writes them"
                )
            seal = header.pop("seal", None)
            if not isinstance(seal, str) or len(seal) != len(OPEN):
                raise CheckpointError(
                    f"{path}: has no checksum, so nobody can tell whether it is whole (an older "
                    f"version's file); make it again"
                )
            if known not in _checked:
                if _seal(_with_seal(head, seal, OPEN), _hashed(stream)) != seal:
                    raise CheckpointError(
                        f"{path}: damaged, its content is not that of its checksum; delete it and "
                        f"run the command again, or the command that made it"
                    )
                _checked.add(known)
        return len(head), entries, header
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file of synthlearn ({type(error).__name__}: "
            f"{error}); delete it and run the command again, or make one with "
            f"`python -m synthlearn pretrain`"
        ) from error


def _hashed(stream: BinaryIO) -> "hashlib._Hash":
    """SHA-256 over the rest of a stream."""
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a JSON header to one sealed safetensors file, atomically."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = safetensors.torch.save(
        contiguous, {"synthlearn": json.dumps({**header, "seal": OPEN}, sort_keys=True)}
    )
    start = 8 + int.from_bytes(content[:8], "little")
    head, data = content[:start], memoryview(content)[start:]
    sealed = _with_seal(head, OPEN, _seal(head, hashlib.sha256(data)))
    with atomic(path) as temporary, open(temporary, "wb") as stream:
        stream.write(sealed)
        stream.write(data)


def load_tensors(path: Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, header) written by :func:`save_tensors`.

    Raises: CheckpointError on a damaged or foreign file.
    """
    _, _, header = _checked_head(path)
    try:
        with safetensors.safe_open(path, framework="pt", device=device) as stream:
            return {name: stream.get_tensor(name) for name in list(stream.keys())}, header
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error}); delete it and run the command "
            f"again"
        ) from error


def read_header(path: Path) -> dict[str, Any]:
    """The header alone of a file by :func:`save_tensors`. Raises CheckpointError as that does."""
    return _checked_head(path)[2]


def grow_tensor(
    path: Path,
    name: str,
    shape: tuple[int, ...],
    header: dict[str, Any],
    part: Callable[[int], Tensor],
) -> None:
    """Write a uint8 tensor that need not fit in memory to a sealed safetensors file, its rows in
    parts: ``part(start)`` gives rows from ``start`` on.

    A call that is cut off leaves its rows in ``path`` + ".partial" (locked while it runs), sealed
    part by part, and the next call goes on from there.
    Raises: DataError when the disk refuses; nothing stays behind then.
    """
    check_target(path)
    row = math.prod(shape[1:])
    partial = path.with_name(path.name + ".partial")

    def head(rows: int, seal: str = OPEN) -> bytes:
        ours = json.dumps({**header, "rows": f"{rows:020d}", "seal": seal}, sort_keys=True)
        entry = {"dtype": "U8", "shape": shape, "data_offsets": [0, row * shape[0]]}
        text = json.dumps({"__metadata__": {"synthlearn": ours}, name: entry}).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    start = len(head(0))
    try:
        needed = row * shape[0] - (partial.stat().st_size if partial.exists() else 0)
        free = shutil.disk_usage(path.parent).free
        if free < needed:
            what = f"{needed / 1e9:.3g} GB are needed and {free / 1e9:.3g} GB free"
            raise OSError(errno.ENOSPC, what)
        with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as stream:
            # another process may be making it: wait, and find it done
            fcntl.flock(stream, fcntl.LOCK_EX)
            if path.exists():
                return
            done, hashed = _sealed_rows(stream, start, row, head)
            stream.truncate(start + done * row)
            while done < shape[0]:
                content = part(done).cpu().contiguous().numpy().tobytes()
                stream.seek(start + done * row)
                stream.write(content)
                hashed.update(content)
                done += len(content) // row
                stream.seek(0)
                stream.write(head(done, _seal(head(done), hashed)))
                stream.flush()
            partial.replace(path)
    except OutOfTime:  # the next call goes on from here
        raise
    except SynthlearnError:  # there are no such rows: nothing to go on from
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _sealed_rows(
    stream: BinaryIO, start: int, row: int, head: Callable[..., bytes]
) -> tuple[int, "hashlib._Hash"]:
    """How many rows of a file that was cut off its seal vouches for, with the hash of them; 0 for
    another tensor's or a damaged one."""
    stream.seek(0)
    stored = stream.read(start)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        header = json.loads(json.loads(stored[8:])["__metadata__"]["synthlearn"])
        done, seal = int(header["rows"]), header["seal"]
        hashed, left = hashlib.sha256(), done * row
        while left > 0 and (block := stream.read(min(left, 1 << 20))):
            hashed.update(block)
            left -= len(block)
        if left == 0 and stored == head(done, seal) and _seal(head(done), hashed) == seal:
            return done, hashed
    return 0, hashlib.sha256()


def disk_use() -> dict[str, int]:
    """Bytes under each folder of ``runs``: pools, encoders, checkpoints …; files with two names
    count once."""
    sizes: dict[str, int] = {}
    seen = set()
    for path in runs().glob("*/**/*"):
        # a dangling link, or a file that another process has just removed
        with contextlib.suppress(OSError):
            status = path.stat()
            if path.is_file() and status.st_ino not in seen:
                seen.add(status.st_ino)
                folder = path.relative_to(runs()).parts[0]
                sizes[folder] = sizes.get(folder, 0) + status.st_size
    return sizes


def map_tensor(path: Path, name: str) -> Tensor:
    """A uint8 tensor of a sealed safetensors file, mapped: pages are read when they are needed.

    Raises: CheckpointError on a damaged or foreign file.
    """
    start, entries, _ = _checked_head(path)
    try:
        entry = entries[name]
        low, high = entry["data_offsets"]
        if (
            entry["dtype"] != "U8"
            or start + high > path.stat().st_size
            or high - low != math.prod(entry["shape"])
        ):
            raise CheckpointError(
                f"{path}: {name} is cut off or not of bytes; delete it and run the command again"
            )
        return torch.from_numpy(np.memmap(path, np.uint8, "c", start + low, tuple(entry["shape"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error!r}); delete it and run the command "
            f"again"
        ) from error
