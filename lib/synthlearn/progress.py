"""One progress bar for everything that takes more than a moment."""

import sys
from typing import Any

from tqdm import tqdm


def bar(total: int | None, description: str, unit: str = "it") -> Any:
    """A tqdm bar on the terminal.

    In a notebook kernel it writes to the terminal that started the kernel (papermill's, Jupyter's), never into the notebook:
    a page would keep every line of it.
    """
    terminal = sys.stderr
    if "ipykernel" in sys.modules:
        handle = getattr(sys.stderr, "_original_stdstream_copy", None)
        terminal = None if handle is None else open(handle, "w", closefd=False)  # noqa: SIM115  (the kernel owns the handle)
    return tqdm(total=total, desc=description, unit=unit, file=terminal, disable=terminal is None, delay=1, mininterval=0.5, dynamic_ncols=True)


def say(line: str) -> None:
    """Print a line above the bars."""
    tqdm.write(line)
