"""Files: where things live, atomic writes, checksums, and tensors without pickle."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from .errors import CheckpointError, DataError


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
