"""How much time there is: long work asks, keeps what it has and stops."""

import contextlib
import math
import time
from collections.abc import Iterator

from .errors import OutOfTime

_until = math.inf  # on time.monotonic's clock


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Inside, :func:`passed` is true when so many seconds are over. The innermost holds."""
    global _until
    before, _until = _until, time.monotonic() + seconds
    try:
        yield
    finally:
        _until = before


def left() -> float:
    """Seconds that are left; infinity where there is no limit."""
    return _until - time.monotonic()


def passed() -> bool:
    """Whether the time is over."""
    return left() <= 0


def check(what: str) -> None:
    """Raise OutOfTime when the time is over.

    Args:
        what: is not ready, and goes on from where it is in the next call.
    """
    if passed():
        raise OutOfTime(
            f"the time is over: {what} are not ready; what is made is kept, "
            "and the next call goes on from there"
        )
