"""What decides rounding: fingerprints of machines."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch

from synthlearn import study
from synthlearn.core import machine

ARM = (
    "processor\t: 0\nFeatures\t: fp asimd evtstrm sve\n"
    "CPU implementer\t: 0x41\nCPU part\t: 0xd40\n\n"
    "processor\t: 1\nCPU part\t: 0xd41\n"
)


@pytest.fixture
def fresh(monkeypatch):
    """Nothing known of this machine yet, and nothing kept of what a test makes of it."""
    for cached in (machine._fingerprint, machine._cpuinfo):
        cached.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    for cached in (machine._fingerprint, machine._cpuinfo):
        cached.cache_clear()


def test_a_fingerprint_repeats_and_survives_a_file():
    first = machine.fingerprint("cpu")
    assert (
        machine.same({"machine": json.loads(json.dumps(first))}, "cpu")
        and machine.fingerprint("cpu") is first
    )  # computed once
    assert (
        first["arithmetic"] == machine.arithmetic("cpu")
        and {"torch", "numpy", "scipy", "scikit-learn"} <= first["libraries"].keys()
    )


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("arithmetic", "0" * 64),
        ("libraries", {"torch": "2.12.0+cpu"}),
        ("processor", {"vendor_id": "AuthenticAMD"}),
    ],
)
def test_other_bits_another_library_or_another_processor_is_another_machine(fresh, part, other):
    recorded = {"machine": machine.fingerprint("cpu")}
    machine._fingerprint.cache_clear()
    fresh.setattr(machine, part, lambda device: other)
    assert not machine.same(recorded, "cpu")


def test_a_record_without_a_fingerprint_is_of_another_machine_and_so_is_one_of_a_gpu():
    assert not machine.same(
        {"device": machine.device_name("cpu"), "torch": torch.__version__}, "cpu"
    )
    assert not machine.same({"machine": machine.fingerprint("cpu")}, "cuda:0")


def test_threads_have_fingerprints_of_their_own():
    before = torch.get_num_threads()
    first = machine.fingerprint("cpu")
    try:
        torch.set_num_threads(before + 1)
        assert machine.fingerprint("cpu") is not first  # sums may be split otherwise
    finally:
        torch.set_num_threads(before)
    assert machine.fingerprint("cpu") is first


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the library's switch is of x86")
def test_fewer_instructions_give_other_bits():
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-c",
        "from synthlearn.core import machine; print(machine.arithmetic('cpu'))",
    ]
    assert subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip() != machine.arithmetic("cpu")


def test_a_processor_is_told_by_its_kind_and_instructions(fresh, tmp_path):
    (tmp_path / "cpuinfo").write_text(ARM)
    fresh.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    found = machine.processor("cpu")
    assert (found["CPU part"], found["instructions"]) == (
        "0xd40",
        "asimd sve",
    ) and "vendor_id" not in found
    fresh.setattr(machine, "CPUINFO", tmp_path / "no such file")
    machine._cpuinfo.cache_clear()
    assert machine.processor("cpu")["machine"] and machine.device_name("cpu")


def test_half_precision_is_offered_where_the_processor_has_it_and_it_is_clearly_faster(monkeypatch):
    def pays(flags, full, half):
        monkeypatch.setattr(machine, "_cpuinfo", lambda: {"flags": flags})
        seconds = {torch.float32: full, torch.bfloat16: half}
        monkeypatch.setattr(machine, "_convolution", lambda kind: seconds[kind])
        machine.half_precision_pays.cache_clear()
        return machine.half_precision_pays("cpu")

    try:
        assert pays("avx512f avx512_bf16", 1.0, 0.5) and pays("amx_bf16", 1.0, 0.5)
        assert not pays("avx512_bf16", 1.0, 0.9)  # has it, and gains nothing to speak of
        assert not pays("avx512f", 1.0, 0.1)  # a detour, whatever was measured
    finally:
        machine.half_precision_pays.cache_clear()


def test_the_convolution_is_timed_in_both_precisions():
    assert all(0 < machine._convolution(kind) < 60 for kind in (torch.float32, torch.bfloat16))


def test_a_precision_of_auto_becomes_the_one_that_is_meant(monkeypatch):
    for pays, meant in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(machine, "half_precision_pays", lambda device, pays=pays: pays)
        p = study.resolve("smoke", precision="auto", device="auto")
        assert (p.precision, p.device) == (meant, "cuda" if torch.cuda.is_available() else "cpu")
        assert p.optimisation().spec()["precision"] == meant
