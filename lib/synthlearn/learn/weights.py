"""Files of weights that others wrote, read without running code of theirs; state dicts, checked."""

import zipfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, ParameterError, SynthlearnError

# what others' files wrap a state dict in, averaged weights first (timm, DINO, PyTorch's examples)
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
# what a wrapped module's names begin with (torch.compile, DataParallel), from the outside in
PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")


def is_safetensors(path: Path) -> bool:
    """True if a file is of the safetensors format, by its content.

    Raises: CheckpointError for no file, or one that cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: is not a file; give a file of weights")
        with open(path, "rb") as stream:
            return stream.read(9)[8:] == b"{"
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path}: cannot be read ({reason})") from error


def read_state(path: Path, ours: str) -> dict[str, Tensor]:
    """Tensors by name of a file of weights that others wrote, read without running code of it.

    safetensors or torch's own formats, told apart by content. A state dict is taken out of what it
    is wrapped in, and its names lose the prefixes of wrapped modules.

    Args:
        ours: what to do with a file of ``pretrain``, for the message.

    Raises: CheckpointError for a file that is missing, damaged, or holds no tensors; ParameterError
    for a file of ``pretrain``.
    """
    try:
        content = _read_tensors(path, ours) if is_safetensors(path) else _read_pickle(path)
    except SynthlearnError:
        raise
    except Exception as error:  # many kinds, for a damaged file or one that holds more than tensors
        raise CheckpointError(
            f"{path}: not a state dict of tensors ({type(error).__name__}); give a file of "
            "weights, as torch.save(model.state_dict()) or safetensors write it"
        ) from error
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    tensors = {}
    for name, tensor in content.items() if isinstance(content, dict) else ():
        if isinstance(name, str) and isinstance(tensor, Tensor):
            for prefix in PREFIXES:
                name = name.removeprefix(prefix)
            if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
                raise CheckpointError(
                    f"{path}: tensor {name!r} is sparse, quantised or empty; "
                    "give one of plain tensors"
                )
            tensors[name] = tensor
    if not tensors:
        raise CheckpointError(f"{path}: holds no tensors; give a file of a model's weights")
    return tensors


def _read_tensors(path: Path, ours: str) -> dict[str, Tensor]:
    with safetensors.safe_open(path, framework="pt") as stream:
        if "synthlearn" in (stream.metadata() or {}):
            raise ParameterError(f"{path}: is a file of `pretrain`: {ours}")
    return safetensors.torch.load_file(path)


def _read_pickle(path: Path) -> Any:
    if zipfile.is_zipfile(path):  # torch itself does not look at the checksums
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise CheckpointError(f"{path}: damaged in {damaged!r}; fetch the file again")
    return torch.load(path, map_location="cpu", weights_only=True)


def restore(module: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Load a state dict strictly.

    Raises: CheckpointError naming the first tensor that is missing, left over, of another shape or
    kind of numbers, or not finite.
    """
    state = module.state_dict()
    for name in sorted(state.keys() ^ tensors.keys()):
        wrong = "missing" if name in state else "not part of the model"
        raise CheckpointError(
            f"{path}: tensor {name!r} is {wrong}; the file belongs to another encoder"
        )
    for name, tensor in state.items():
        given = tensors[name]
        if tensor.shape != given.shape:
            raise CheckpointError(
                f"{path}: tensor {name!r} has shape {tuple(given.shape)}, "
                f"the model needs {tuple(tensor.shape)}"
            )
        if tensor.is_floating_point() != given.is_floating_point():
            raise CheckpointError(
                f"{path}: tensor {name!r} is of {given.dtype}, the model needs {tensor.dtype}"
            )
    module.load_state_dict(tensors)
    check_finite(module, path)


def check_finite(module: nn.Module, name: str | Path) -> None:
    """Raise CheckpointError unless all weights and statistics are finite.

    Args:
        name: of the file or encoder, for the message.
    """
    for tensor_name, tensor in module.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{name}: tensor {tensor_name!r} holds NaN or infinity; "
                "give another file, or train again with a lower lr"
            )
