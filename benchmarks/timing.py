"""How speeds are taken, and how they are told."""

import time
from collections.abc import Callable

import numpy as np
import torch


def clock(device: str) -> float:
    """Seconds, when all that was asked of the device is done."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def per_second(call: Callable[[], int], device: str) -> float:
    """Things per second of one call, which returns how many it made."""
    began = clock(device)
    n = call()
    return n / (clock(device) - began)


def median(call: Callable[[], int], device: str, repeats: int, warm: int = 1) -> float:
    """Things per second, the median of some calls, after others that are not counted."""
    for _ in range(warm):
        call()
    return float(np.median([per_second(call, device) for _ in range(repeats)]))


def spread(values: list[float]) -> list[float]:
    """Least, median, largest."""
    return [float(np.min(values)), float(np.median(values)), float(np.max(values))]


def digits(value: float) -> str:
    """A number with three significant digits, and all digits before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
