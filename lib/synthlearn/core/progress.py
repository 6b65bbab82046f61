"""One progress bar for everything that takes more than a moment, and lines beside it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from tqdm import tqdm

_below = False  # whether an overall bar stands above


def bar(total: int | None, description: str, unit: str = "it") -> Any:
    """A tqdm bar on the terminal.

    In a notebook kernel it writes to the terminal that started the kernel (papermill's, Jupyter's),
    never into the notebook: a page would keep every line of it. Of several processes that train
    together the first shows it.
    """
    terminal: Any = sys.stderr
    if "ipykernel" in sys.modules:
        handle = getattr(sys.stderr, "_original_stdstream_copy", None)
        terminal = None
        if handle is not None:  # the kernel owns it: it stays open
            terminal = open(handle, "w", closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115
    # without several processes, RANK is some other program's
    several = os.environ.get("WORLD_SIZE", "1") not in ("0", "1")
    silent = terminal is None or (several and os.environ.get("RANK", "0") != "0")
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        file=terminal,
        disable=silent,
        delay=0 if _below else 1,
        mininterval=0.5,
        dynamic_ncols=True,
        leave=not _below,
    )


@contextlib.contextmanager
def overall(total: int, description: str, unit: str = "run") -> Iterator[Any]:
    """A bar over a work of many parts; inside, a part's own bar stands below it and goes when the
    part is done."""
    global _below
    with bar(total, description, unit) as whole:
        before, _below = _below, True
        try:
            yield whole
        finally:
            _below = before


def say(line: str, error: bool = False) -> None:
    """Print a line above the bars, on standard output or on standard error."""
    tqdm.write(line, file=sys.stderr if error else sys.stdout)


@cache
def note(line: str) -> None:
    """Print a line on standard error, once per process: what it is about is read often."""
    print(line, file=sys.stderr, flush=True)
