"""The one format of a training that is not over: tensors of its networks and optimiser, and how
far it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core import files
from ..core.errors import CheckpointError

SECONDS = 20.0  # between two of them


@dataclass
class Progress:
    """How far a training is.

    step: updates done.
    resumed: tries that began from a checkpoint.
    seconds: of training.
    curves: values by name.
    """

    step: int = 0
    resumed: int = 0
    seconds: float = 0.0
    curves: dict[str, list[float]] = field(default_factory=dict)


def save(
    path: Path,
    identity: str,
    progress: Progress,
    states: Mapping[str, Mapping[str, Tensor]],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint.

    Args:
        identity: of what it belongs to.
        states: state dicts by name.
    """
    tensors = {
        f"{kind}.{name}": tensor.contiguous()
        for kind, state in states.items()
        for name, tensor in state.items()
    }
    for i, p in enumerate(_parameters(optimiser)):
        tensors |= {
            f"optimiser.{i}.{key}": value.contiguous()
            for key, value in optimiser.state[p].items()
            if isinstance(value, Tensor)
        }
    files.save_tensors(
        path, tensors, {"kind": "checkpoint", "identity": identity, **asdict(progress)}
    )


def restore(
    path: Path,
    identity: str,
    states: Mapping[str, Mapping[str, Tensor]],
    optimiser: torch.optim.Optimizer,
) -> Progress:
    """Copy a checkpoint's tensors into the places of ``states`` and the optimiser's own.

    Raises: CheckpointError if it is missing, damaged, of another run or does not fit; nothing may
    be used then.
    """
    tensors, header = files.load_tensors(path)
    if header.get("kind") != "checkpoint":
        raise CheckpointError(
            f"{path}: is no checkpoint of a training; "
            "choose another name, or delete it to start over"
        )
    if header.get("identity") != identity:
        raise CheckpointError(
            f"{path}: belongs to another run ({str(header.get('identity'))[:12]}, "
            f"not {identity[:12]}); delete it to start over"
        )
    for kind, state in states.items():
        stored = {
            name.removeprefix(f"{kind}."): t
            for name, t in tensors.items()
            if name.startswith(f"{kind}.")
        }
        _fill(state, stored, kind, path)
    try:
        _fill_optimiser(optimiser, tensors)
        progress = Progress(
            **{
                name: _checked(name, header[name])
                for name in ("step", "resumed", "seconds", "curves")
            }
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: a checkpoint of another version ({error}); delete it to start over"
        ) from error
    return progress


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def _fill(state: Mapping[str, Tensor], stored: Mapping[str, Tensor], kind: str, path: Path) -> None:
    wrong = sorted(state.keys() ^ stored.keys()) or [
        name
        for name, t in stored.items()
        if t.shape != state[name].shape or t.dtype != state[name].dtype
    ]
    if wrong:
        raise CheckpointError(
            f"{path}: its tensor {kind}.{wrong[0]} does not fit the run; delete it to start over"
        )
    bad = [
        name for name, t in stored.items() if t.is_floating_point() and not bool(t.isfinite().all())
    ]
    if bad:
        raise CheckpointError(
            f"{path}: its tensor {kind}.{bad[0]} holds NaN or infinity; delete it to start over"
        )
    with torch.no_grad():
        for name, tensor in stored.items():
            state[name].copy_(tensor)


def _fill_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    every = _parameters(optimiser)
    stored: dict[int, dict[str, Tensor]] = {i: {} for i in range(len(every))}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimiser":
            number, key = rest.split(".")
            stored[int(number)][key] = value
    usual = next((set(values) for values in stored.values() if values), set())
    for i, values in stored.items():
        p, state = every[i], optimiser.state[every[i]]
        if values and set(values) != usual:  # parameters without a gradient have nothing
            raise ValueError(f"optimiser.{i} has {', '.join(values)}")
        for key, value in values.items():
            if key != "step" and value.shape != p.shape:
                raise ValueError(f"optimiser.{i}.{key} has shape {tuple(value.shape)}")
            if key in state:
                state[key].copy_(value)  # a graph knows it by its place
            else:
                state[key] = value if key == "step" else value.to(p.device)


def _checked(name: str, value: Any) -> Any:
    kind = {"step": int, "resumed": int, "seconds": float, "curves": dict}[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} = {str(value)[:80]}")
    return value
