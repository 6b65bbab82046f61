"""Files: where things live, atomic writes, checksums, and tensors without pickle."""

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .errors import CheckpointError, DataError, SynthlearnError


def root() -> Path:
    """The project's checkout: ``SYNTHLEARN_ROOT``, else the folder above this library, else the working directory."""
    if "SYNTHLEARN_ROOT" in os.environ:
        return Path(os.environ["SYNTHLEARN_ROOT"])
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "workflow" / "study.toml").exists() else Path.cwd()


def runs() -> Path:
    """Folder of everything that can be made again (checkpoints, pools, encoders): ``SYNTHLEARN_RUNS`` or ``runs/``."""
    return Path(os.environ.get("SYNTHLEARN_RUNS", root() / "runs"))


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place on success, remove it on any failure.

    Raises DataError naming ``path`` when the file cannot be written (full disk, file-size limit, permissions).
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}; free some space or choose another folder") from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; free some space or choose another folder") from error
    except safetensors.SafetensorError as error:
        raise DataError(f"cannot write {path}: {error}; free some space or choose another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys atomically."""
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a JSON header to one safetensors file, atomically."""
    with atomic(path) as temporary:
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        safetensors.torch.save_file(contiguous, temporary, {"synthlearn": json.dumps(header, sort_keys=True)})


def load_tensors(path: Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, header) written by :func:`save_tensors`. Raises CheckpointError on a damaged or foreign file."""
    try:
        with safetensors.safe_open(path, framework="pt", device=device) as stream:
            metadata = stream.metadata() or {}
            if "synthlearn" not in metadata:
                raise CheckpointError(f"{path}: a safetensors file, but not one of synthlearn (no header); make it with `python -m synthlearn pretrain`")
            return {name: stream.get_tensor(name) for name in list(stream.keys())}, json.loads(metadata["synthlearn"])
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (safetensors.SafetensorError, json.JSONDecodeError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}); delete it and run the command again") from error


def grow_tensor(path: Path, name: str, shape: tuple[int, ...], header: dict[str, Any], part: Callable[[int], Tensor]) -> None:
    """Write a uint8 tensor that need not fit in memory to a safetensors file, its rows in parts: ``part(start)`` gives rows from ``start`` on.

    A call that is cut off leaves its rows in ``path`` + ".partial" (locked while it runs), and the next call goes on from there.
    Raises: DataError when the disk refuses; nothing stays behind then.
    """
    row = math.prod(shape[1:])
    described = {"__metadata__": {"synthlearn": json.dumps(header, sort_keys=True)}, name: {"dtype": "U8", "shape": shape, "data_offsets": [0, row * shape[0]]}}
    text = json.dumps(described).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        needed = row * shape[0] - (partial.stat().st_size if partial.exists() else 0)
        free = shutil.disk_usage(path.parent).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free")
        with open(partial, "a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # another process may be making it: wait, and find it done
            if path.exists():
                return
            stream.seek(0)
            if stream.read(start) != len(text).to_bytes(8, "little") + text:
                stream.truncate(0)
                stream.write(len(text).to_bytes(8, "little") + text)
                stream.flush()
            done = (os.fstat(stream.fileno()).st_size - start) // row
            stream.truncate(start + done * row)
            while done < shape[0]:
                rows = part(done).cpu().contiguous()
                stream.write(rows.numpy().tobytes())
                stream.flush()
                done += len(rows)
            partial.replace(path)
    except SynthlearnError:  # there are no such rows: nothing to go on from
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(f"cannot write {path}: {error.strerror or error}; free some space (make clean) or choose another folder (SYNTHLEARN_RUNS)") from error


def disk_use() -> dict[str, int]:
    """Bytes under each folder of ``runs``: pools, encoders, checkpoints …; files with two names count once."""
    found: dict[str, int] = {}
    seen = set()
    for path in runs().glob("*/**/*"):
        status = path.stat()
        if path.is_file() and status.st_ino not in seen:
            seen.add(status.st_ino)
            folder = path.relative_to(runs()).parts[0]
            found[folder] = found.get(folder, 0) + status.st_size
    return found


def map_tensor(path: Path, name: str) -> Tensor:
    """A uint8 tensor of a safetensors file, mapped: pages are read when they are needed. Raises CheckpointError on a damaged or foreign file."""
    try:
        with open(path, "rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            entry = json.loads(stream.read(min(size, 1 << 20)))[name]
        low, high = entry["data_offsets"]
        if entry["dtype"] != "U8" or 8 + size + high > path.stat().st_size or high - low != math.prod(entry["shape"]):
            raise CheckpointError(f"{path}: {name} is cut off or not of bytes; delete it and run the command again")
        return torch.from_numpy(np.memmap(path, np.uint8, "c", 8 + size + low, tuple(entry["shape"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error!r}); delete it and run the command again") from error
