"""Triton, where it is: what compiles kernels for a GPU, and whether they run on a device."""

import os
import shutil
from typing import Any

import torch

__all__ = ["available", "jit", "tl", "triton"]

try:
    import triton
    import triton.language as tl

    jit = triton.jit
except ImportError:  # there are no wheels for macOS and Windows
    triton = tl = None

    def jit(function: Any) -> Any:
        """In place of the compiler: the function is never called."""
        return function


def available(device: torch.device) -> bool:
    """Whether kernels run on a device: a GPU with Triton and the C compiler that it needs, or any
    but "meta" under Triton's interpreter."""
    if triton is None or device.type == "meta":
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return True
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    return device.type == "cuda" and compiler is not None
