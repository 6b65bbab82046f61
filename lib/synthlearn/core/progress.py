"""One progress bar for everything that takes more than a moment."""

import os
import sys
from typing import Any

from tqdm import tqdm


def bar(total: int | None, description: str, unit: str = "it") -> Any:
    """A tqdm bar on the terminal.

    In a notebook kernel it writes to the terminal that started the kernel (papermill's, Jupyter's), never into the notebook:
    a page would keep every line of it. Of several processes that train together the first shows it.
    """
    terminal = sys.stderr
    if "ipykernel" in sys.modules:
        handle = getattr(sys.stderr, "_original_stdstream_copy", None)
        terminal = (
            None
            if handle is None
            else open(handle, "w", closefd=False, encoding="utf-8", errors="replace")
        )  # noqa: SIM115  (the kernel owns the handle)
    several = os.environ.get("WORLD_SIZE", "1") not in (
        "0",
        "1",
    )  # without, RANK is some other program's
    silent = terminal is None or (several and os.environ.get("RANK", "0") != "0")
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        file=terminal,
        disable=silent,
        delay=1,
        mininterval=0.5,
        dynamic_ncols=True,
    )


def say(line: str) -> None:
    """Print a line above the bars."""
    tqdm.write(line)
