"""Strict parameters of a chapter: what papermill injected against what the chapter declares."""

import sys
import types
from typing import Any

import torch

from ..errors import ParameterError, SynthlearnError
from ..study import Profile, resolve
from ..study.profiles import FIELDS, NAMES, defaults


def parameters(namespace: dict[str, Any]) -> Profile:
    """The chapter's profile, from the variables of its first cell.

    The parameters cell declares each name with a type (``epochs: int | None = None``); papermill assigns without one. So every
    variable that is there now must be declared or be a field of the profile, and its value must be of the declared type.
    None means the profile's value.

    Args:
        namespace: ``globals()`` of the notebook, right after the parameters cell.

    Raises: ParameterError (or DataError for a missing set) naming the parameter, the value and what is allowed.
    """
    _show_messages_alone()
    declared = namespace.get("__annotations__", {}).keys()
    hidden = _hidden_names()
    given = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, types.ModuleType | types.FunctionType | type)
    }
    overrides = {}
    for name, value in given.items():
        if name not in declared and name not in FIELDS:
            resolve(**{name: value})  # raises, with the nearest name
        if name == "profile" or value is None:
            continue
        overrides[name] = value
    if not isinstance(given.get("profile"), str):
        raise ParameterError(f"profile = {given.get('profile')!r}: must be a word: smoke, cpu, gpu or paper")
    if given["profile"] in NAMES and "device" not in overrides and defaults(given["profile"]).device != "cpu" and not torch.cuda.is_available():
        overrides["device"] = "cpu"  # committed records of a profile for GPUs can be looked at without one
    profile = resolve(given["profile"], **overrides)
    torch.set_num_threads(profile.threads)
    return profile


def _hidden_names() -> set[str]:
    """Names that IPython itself puts into a notebook's namespace."""
    if "IPython" not in sys.modules:
        return set()
    shell = sys.modules["IPython"].get_ipython()
    return set(shell.user_ns_hidden) | {"In", "Out"} if shell is not None else set()


def _show_messages_alone() -> None:
    """Let notebooks print our errors as one message, as the command line does."""
    if "IPython" in sys.modules and not hasattr(SynthlearnError, "_render_traceback_"):
        setattr(SynthlearnError, "_render_traceback_", lambda self: [f"{type(self).__name__}: {self}"])  # noqa: B010  (IPython's hook, not ours)
