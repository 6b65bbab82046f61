"""Strict parameters of a chapter: what papermill injected against what the chapter declares."""

import ast
import sys
import types
from typing import Any

import torch

from ..core.errors import ParameterError, SynthlearnError
from ..study import Profile, with_data
from ..study.profiles import FIELDS, NAMES, check, defaults
from .jupyter import show_style

INJECTED = "# Parameters\n"  # first line of the cell that papermill adds
LONGEST = 4095  # characters of a word; a path has no more
IPYTHONS_HOOK = "_render_traceback_"  # its method of an error, for the lines to print
# names that Python itself puts into a module, beside those of IPython
PYTHONS_NAMES = (
    "__annotations__",
    "__builtin__",
    "__builtins__",
    "__cached__",
    "__conditional_annotations__",
    "__doc__",
    "__file__",
    "__loader__",
    "__package__",
    "__spec__",
)


def parameters(namespace: dict[str, Any]) -> Profile:
    """The chapter's profile, from the variables of its first cell.

    The parameters cell declares each name with a type (``epochs: int = None``); papermill assigns
    without one, in a cell of its own. Every name of that cell, and every variable that is there
    now, must be declared or be a field of the profile, and its value must be of the field's type.
    None means the profile's value. In Jupyter it also shows the styles of the book's outputs.

    Args:
        namespace: ``globals()`` of the notebook, right after the parameters cell.

    Raises: ParameterError (or DataError for a missing set) naming the parameter, the value and what
    is allowed.

    """
    _show_messages_alone()
    declared = namespace.get("__annotations__", {})
    known = {*declared, *FIELDS} if isinstance(declared, dict) else {*FIELDS}
    for name, value in _injected().items():
        if name not in known:
            check(name, value)  # raises, with the nearest name
    overrides = {}
    for name, value in _variables(namespace, known).items():
        if name == "profile" or value is None:
            continue
        if isinstance(value, str) and (not value.strip() or "\0" in value or len(value) > LONGEST):
            allowed = f"must be a word, not empty and of at most {LONGEST} characters"
            raise ParameterError(f"{name} = {value[:40]!r}: {allowed}")
        overrides[name] = check(name, value)
    word = namespace.get("profile")
    if not isinstance(word, str):
        raise ParameterError(f"profile = {word!r}: must be a word: smoke, cpu, gpu or paper")
    on_card = word in NAMES and defaults(word).device == "cuda"
    if on_card and "device" not in overrides and not torch.cuda.is_available():
        # committed records of a profile for GPUs can be looked at without one
        overrides["device"] = "cpu"
    profile = with_data(word, **overrides)
    torch.set_num_threads(profile.threads)
    show_style()
    return profile


def _variables(namespace: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """What a person or a program has put into the namespace: not what Python, IPython or an editor
    did.
    """
    shell = _shell()
    hidden = {"__name__"} if namespace.get("__name__", "__main__") in sys.modules else set()
    hidden |= {*PYTHONS_NAMES} if shell is None else {*shell.user_ns_hidden, "In", "Out"}

    def is_machinery(name: str) -> bool:
        kind = types.ModuleType | types.FunctionType | type
        private = shell is not None and name.startswith("_")
        return name in hidden or private or isinstance(namespace[name], kind)

    return {
        name: value for name, value in namespace.items() if name in known or not is_machinery(name)
    }


def _injected() -> dict[str, Any]:
    """What papermill's cells assign, read from the cells: the namespace no longer tells when the
    name is ``sl`` or IPython's own.
    """
    shell = _shell()
    cells = [] if shell is None else shell.history_manager.input_hist_parsed
    values = {}
    for cell in cells:
        for line in ast.parse(cell).body if cell.startswith(INJECTED) else ():
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                try:
                    values[line.targets[0].id] = ast.literal_eval(line.value)
                except ValueError:  # not a number, or infinity: float('nan')
                    values[line.targets[0].id] = ast.unparse(line.value)
    return values


def _shell() -> Any:
    """IPython's shell, or None outside of it."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _show_messages_alone() -> None:
    """Let notebooks print our errors as one message, as the command line does."""
    if "IPython" in sys.modules and not hasattr(SynthlearnError, IPYTHONS_HOOK):
        setattr(SynthlearnError, IPYTHONS_HOOK, lambda error: [f"{type(error).__name__}: {error}"])
