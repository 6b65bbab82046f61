"""The kernel of the views against tensor operations, in Triton's interpreter; and it compiles.

Triton decides when it is imported whether it interprets, so each runs in a process of its own.
"""

import itertools
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from synthlearn.core import kernels, rng, view_kernel
from synthlearn.core.augment import (
    Augmentation,
    Parameters,
    jitter_all,
    linear_jitter,
    resized_crop,
)
from synthlearn.core.image import MEAN, STD, luma

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")

INTERPRET = """
import sys, torch
from synthlearn.core import kernels, view_kernel

def done(call, held):
    view_kernel.HELD = held
    return call()

assert kernels.available(torch.device("cpu"))
asked = torch.load(sys.argv[1], weights_only=False)
torch.save({name: done(*case) for name, case in asked.items()}, sys.argv[2])
"""
COMPILE = """
import re, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from synthlearn.core import view_kernel

integers = ("source", "top", "left", "height", "width", "order")
types = dict.fromkeys(integers, "*i64") | {"images": "*u8", "factors": "*fp32"}
types |= {"flip": "*u1", "grey": "*u1", "rows": "i32", "columns": "i32"}
names = view_kernel._view.arg_names
for crop, linear, out in ((32, False, "bf16"), (64, True, "fp32"), (224, False, "fp16")):
    constants = {"CROP": crop, "LINEAR": linear, **view_kernel.tiles(crop)}
    signature = types | {"out": "*" + out} | dict.fromkeys(constants, "constexpr")
    signature = {name: signature[name] for name in names}
    places = {(names.index(n),): v for n, v in constants.items()}
    source = ASTSource(view_kernel._view, signature, places)
    warps = view_kernel.warps(constants["ROWS"] * constants["COLUMNS"])
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    assert made.asm["cubin"].startswith(b"\\x7fELF")
    rounded = re.findall(r"cvt\\.rn\\.(\\w+)\\.f32", made.asm["ptx"])
    print(crop, set(rounded) - {"f16x2", "bf16x2"})
"""


def in_a_process(code, *arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=kept | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


class Case:
    """Views of pictures with given parameters, by the kernel and by tensor operations."""

    def __init__(self, images, crop, linear, dtype=torch.float32, **parameters):
        n = len(parameters["top"])
        still = {
            "flip": torch.zeros(n, dtype=torch.bool),
            "grey": torch.zeros(n, dtype=torch.bool),
            "factors": torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(n, 1),
            "order": torch.arange(4).repeat(n, 1),
            "reduction": torch.zeros(n, dtype=torch.int64),
        }
        self.images, self.crop, self.linear, self.dtype = images, crop, linear, dtype
        self.source = torch.arange(n) % len(images)
        self.parameters = Parameters(**(still | parameters))

    def __call__(self):
        given = (self.images, self.source, self.parameters, self.crop, self.linear, self.dtype)
        return view_kernel.views(*given)

    def by_tensors(self):
        p = self.parameters
        x = resized_crop(self.images[self.source], *p[:5], self.crop)
        if self.linear:
            x = linear_jitter(x, p.factors, p.order, p.grey)
        else:
            x = jitter_all(x, p.factors, p.order)
            x = torch.where(p.grey[:, None, None, None], luma(x), x)
        return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


class Whole:
    """Views from keys, all of the way."""

    def __init__(self, images, keys, **options):
        self.images, self.keys, self.augmentation = images, keys, Augmentation(**options)

    def __call__(self):
        return self.augmentation.by_kernel(self.images, self.keys)

    def by_tensors(self):
        return self.augmentation.by_tensors(self.images, self.keys, subsets=False)


def noise(n, height, width):
    return rng.integers(rng.key("noise"), 0, 256, (n, 3, height, width)).byte()


def windows(*rows):
    return dict(zip(("top", "left", "height", "width"), torch.tensor(rows).T, strict=True))


def cases():
    """Name → (case, pixels that a program may hold)."""
    orders = torch.tensor(list(itertools.permutations(range(4))))
    strong = torch.tensor([1.4, 0.6, 1.4, -0.3]), torch.tensor([0.7, 1.4, 0.6, 0.4])
    part = torch.arange(24)
    coloured = {
        "order": orders,
        "factors": torch.stack(strong).repeat(12, 1),
        "flip": part % 3 == 0,
        "grey": part % 5 == 0,
        **windows(*((i % 3, i % 4, 5 + i % 5, 4 + i % 4) for i in range(24))),
    }
    tiny = (0, 0, 1, 1), (11, 9, 1, 1), (3, 9, 2, 1), (11, 0, 1, 10), (0, 4, 12, 1), (0, 0, 12, 10)
    most = (1, 0, 20, 17)
    held = view_kernel.HELD
    found = {
        "tiny": (Case(noise(5, 12, 10), 7, False, **windows(*tiny)), held),
        "reduced": (Case(noise(1, 22, 18), 4, False, **windows(most)), held),
    }
    for linear, variant in enumerate(("exact", "linear")):
        images = noise(5, 12, 10)
        some = {name: value[5::8] for name, value in coloured.items()}
        plain = torch.tensor([[0, 0, 0], [255, 255, 255], [200, 90, 10]], dtype=torch.uint8)
        found |= {
            f"orders-{variant}": (Case(images, 8, linear, **coloured), held),
            f"tiles-{variant}": (Case(images, 7, linear, **some), 32),
            f"plain-{variant}": (
                Case(plain[:, :, None, None].expand(3, 3, 12, 10), 8, linear, **some),
                held,
            ),
            f"whole-{variant}": (
                Whole(noise(3, 20, 20), rng.key("v", torch.arange(6)).view(2, 3), crop=16,
                      variant=variant, downsample_p=0.7),
                held,
            ),
        }  # fmt: skip
        for dtype in (torch.bfloat16, torch.float16):
            found[f"{dtype}-{variant}"] = (Case(images, 8, linear, dtype, **some), held)
    return found


ASKED = cases()


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    torch.save(ASKED, folder / "asked.pt")
    in_a_process(INTERPRET, folder / "asked.pt", folder / "made.pt", TRITON_INTERPRET="1")
    return torch.load(folder / "made.pt")


@pytest.mark.parametrize("name", [name for name in ASKED if not name.startswith("torch")])
def test_the_kernel_equals_tensor_operations(interpreted, name):
    made, expected = interpreted[name], ASKED[name][0].by_tensors()
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert (made - expected).abs().max() <= 2e-5
    if not name.startswith(("plain", "reduced")):
        assert expected.var() > 0.1  # there is something to compare


@pytest.mark.parametrize("name", [name for name in ASKED if name.startswith("torch")])
def test_views_are_rounded_once_to_the_precision_asked_for(interpreted, name):
    made, case = interpreted[name], ASKED[name][0]
    assert made.dtype == case.dtype
    expected = case.by_tensors()
    step = torch.finfo(case.dtype).eps * expected.abs()
    # a GPU rounds bfloat16 to nearest (tested below); the interpreter cuts off
    share = 1 if case.dtype == torch.bfloat16 else 0.5
    assert ((made.float() - expected).abs() <= share * step + 2e-5).all()


def test_a_picture_of_one_colour_stays_one(interpreted):
    for variant in ("exact", "linear"):
        made = interpreted[f"plain-{variant}"].flatten(2)
        assert (made - made[..., :1]).abs().max() <= 2e-5


def test_the_kernel_compiles_for_a_gpu_without_one_and_rounds_to_nearest(tmp_path):
    said = in_a_process(COMPILE, TRITON_CACHE_DIR=str(tmp_path))
    assert said.splitlines() == ["32 {'bf16'}", "64 set()", "224 {'f16'}"]


def test_tiles_cover_a_view_and_fit_a_program():
    for crop in (1, 5, 32, 48, 64, 65, 224, 500):
        shape = view_kernel.tiles(crop)
        assert shape["COLUMNS"] >= crop and shape["ROWS"] * shape["TILES"] >= crop
        assert shape["ROWS"] * shape["COLUMNS"] <= view_kernel.HELD
        assert (shape["TILES"] == 1) == (crop <= 64)


def test_where_the_kernel_is_available(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("CC", "cc")
    assert kernels.available(gpu) and not kernels.available(cpu)
    monkeypatch.delenv("CC")
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    assert not kernels.available(gpu)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert kernels.available(cpu)
    monkeypatch.setattr(kernels, "triton", None)
    assert not kernels.available(gpu)
