"""What decides rounding: the processor, the numeric libraries and the bits of their arithmetic.

The same code gives the same bits only where sums are taken in the same order. That depends on the
instructions that a processor has and on what the libraries make of them. A name says little of it:
cloud machines of one name hold different processors. So a record keeps a fingerprint.
"""

import hashlib
import platform
import re
import time
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from . import rng

CPUINFO = Path("/proc/cpuinfo")
# Lines of /proc/cpuinfo that name a kind of processor, on x86 and on ARM.
KIND = (
    "vendor_id",
    "cpu family",
    "model",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
)
# Flags of processors that multiply bfloat16; others do it by detours.
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
PAYS = 1.2  # times as fast as float32 (chosen here)
# First letters of the flags that change how float32 is computed.
INSTRUCTIONS = ("avx", "fma", "amx", "asimd", "sve")
# Versions in what torch says of its build.
BUILD = {
    "mkl": r"Math Kernel Library Version (\S+)",
    "onednn": r"MKL-DNN v(\S+)",
}
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")  # whose numbers reach a record


def device_name(device: str) -> str:
    """The accelerator's or the processor's name, for people to read."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def fingerprint(device: str) -> dict[str, Any]:
    """What decides rounding on ``device`` with the threads as they are now, JSON-able: two equal
    ones give the same bits from the same code.

    processor: kind and instructions, on a GPU its own beside them. libraries: versions.
    arithmetic: hash of a few small computations.
    """
    return _fingerprint(device, torch.get_num_threads())


def same(provenance: Mapping[str, Any], device: str) -> bool:
    """Whether what has this provenance was made on a machine whose bits must be this one's.

    A record without a fingerprint is of another machine, for nobody can be sure. So is any record
    on a GPU: many of its sums are taken in an order that changes from run to run.
    """
    return not device.startswith("cuda") and provenance.get("machine") == fingerprint(device)


@cache
def _fingerprint(device: str, threads: int) -> dict[str, Any]:
    return {
        "processor": processor(device),
        "libraries": libraries(device),
        "arithmetic": arithmetic(device),
    }


def processor(device: str) -> dict[str, str]:
    """Kind and instructions of the processor, which probes and options use on any device; of a GPU
    its name and compute capability too."""
    lines = _cpuinfo()
    kind = {name: lines[name] for name in KIND if name in lines} or {
        "machine": platform.processor() or platform.machine()
    }
    flags = lines.get("flags", lines.get("Features", "")).split()
    kind["instructions"] = " ".join(sorted(flag for flag in flags if flag.startswith(INSTRUCTIONS)))
    kind["capability"] = torch.backends.cpu.get_cpu_capability()  # which of them torch uses
    if device.startswith("cuda"):
        kind |= {
            "gpu": device_name(device),
            "gpu_capability": ".".join(map(str, torch.cuda.get_device_capability(device))),
        }
    return kind


def libraries(device: str) -> dict[str, str]:
    """Versions of the libraries whose numbers reach a record, and of those that torch was built
    with."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    versions["torch"] = torch.__version__  # says for which device it was built
    build = torch.__config__.show()
    versions |= {
        name: match[1] for name, pattern in BUILD.items() if (match := re.search(pattern, build))
    }
    if device.startswith("cuda"):
        versions |= {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
    return versions


def arithmetic(device: str) -> str:
    """SHA-256 of the bits of a convolution with its gradients, a matrix product and an exponential
    in float32, on fixed numbers, as a run does them."""
    keys = rng.key("arithmetic", torch.arange(4))

    def numbers(number: int, *shape: int) -> torch.Tensor:
        return rng.uniform(keys[number], shape, -1, 1).to(device)

    images = (
        numbers(0, 8, 24, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    )
    kernel = (
        (numbers(1, 48, 24, 3, 3) / 8)
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    features = torch.nn.functional.conv2d(images, kernel, padding=1)
    features.square().mean().backward()
    product = numbers(2, 96, 200) @ numbers(3, 200, 96)
    assert images.grad is not None and kernel.grad is not None
    digest = hashlib.sha256()
    for tensor in (features, images.grad, kernel.grad, product, product.exp(), product.exp().sum()):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@cache
def half_precision_pays(device: str) -> bool:
    """Whether a convolution with its gradients is clearly faster in bfloat16 than in float32:
    measured on processors that have the instructions.

    GPUs have them from compute capability 8.
    """
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device)[0] >= 8
    flags = _cpuinfo().get("flags", _cpuinfo().get("Features", "")).split()
    if not set(BFLOAT16) & set(flags):
        return False
    seconds = {
        kind: min(_convolution(kind) for _ in range(5)) for kind in (torch.float32, torch.bfloat16)
    }
    return seconds[torch.float32] > PAYS * seconds[torch.bfloat16]


def _convolution(kind: torch.dtype) -> float:
    """Seconds of a layer of the encoder, forward and backward, by autocast."""
    keys = rng.key("half precision", torch.arange(2))
    x = rng.normal(keys[0], (64, 48, 16, 16)).contiguous(memory_format=torch.channels_last)
    kernel = (
        rng.normal(keys[1], (96, 48, 3, 3))
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    began = time.perf_counter()
    with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
        torch.nn.functional.conv2d(x, kernel, padding=1).square().mean().backward()
    return time.perf_counter() - began


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo; empty where there is no such file."""
    if not CPUINFO.exists():
        return {}
    first = CPUINFO.read_text(encoding="utf-8").split("\n\n", 1)[0]
    return {
        name.strip(): value.strip()
        for name, _, value in (line.partition(":") for line in first.splitlines())
    }
