"""The benchmarks of the engine: arithmetic of floors, limits of time, stored pictures, the script
for a card, and the pages that show it.
"""

import dataclasses
import itertools
import json
import math
import os
import re
import subprocess
import sys
import time

import pytest
import torch
from benchmarks import __main__ as command
from benchmarks import engine, self_check, stored, timing

from synthlearn.book.pages import benchmarks as speeds
from synthlearn.book.pages import scale
from synthlearn.core import files
from synthlearn.learn.encoders import SmallAlexNet


def test_a_speed_is_things_over_seconds_and_the_median_leaves_the_first_call_out(monkeypatch):
    ticks = itertools.accumulate(
        itertools.chain.from_iterable((0, seconds) for seconds in (2, 8, 4))
    )
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    calls = []
    assert timing.median(lambda: calls.append(0) or 16, "cpu", 3) == 4 and len(calls) == 4


def test_a_share_is_one_at_the_floor_whether_less_or_more_is_better():
    bench = engine.Bench("cpu", engine.CARD, {"fp32": 8e9, "copy": 2e9})
    assert (
        bench.seconds(4e9, "fp32") == 0.5
        and bench.rate(4e9, "copy") == 0.5
        and bench.rate(1, "bf16") is None
    )
    slow, fast = bench.entry("a", 20, "ms", 15, 5), bench.entry("b", 20, "views/s", 15, 80)
    assert slow["share"] == fast["share"] == 0.25 and (slow["met"], fast["met"]) == (False, True)
    assert (
        engine.Bench("cpu", engine.TINY).entry("a", 1, "ms", 15)["goal"] is None
    )  # goals are of the true sizes


def test_the_operations_of_a_view_are_three_forward_passes_without_the_pictures_gradient():
    first = 2 * 9 * 3 * 24 * 64**2
    convolutions = 2 * 9 * (24 * 48 * 31**2 + (48 * 96 + 96 * 96 + 96 * 48) * 15**2)
    linear = 2 * (48 * 7**2 * 1024 + 1024**2 + 1024 * 128)
    assert engine.flop_per_view(SmallAlexNet(0.25, 64), 64) == 2 * first + 3 * (
        convolutions + linear
    )


def test_what_fails_or_takes_too_long_loses_nothing_else():
    def fails(bench):
        yield bench.entry("before it fails", 1, "s")
        raise RuntimeError("out of memory")

    def lasts(bench):
        time.sleep(5)
        yield bench.entry("never", 1, "s")

    def works(bench):
        yield bench.entry("after", 2, "s")

    kept, parts = (
        [],
        [
            engine.Part("fails", fails, 9),
            engine.Part("lasts", lasts, 0.2),
            engine.Part("works", works, 9),
        ],
    )
    found = engine.measure(
        engine.Bench("cpu", engine.TINY), parts, 9, lambda entries: kept.append(len(entries))
    )
    assert [(e["what"], e["value"]) for e in found] == [
        ("before it fails", 1),
        ("fails", None),
        ("lasts", None),
        ("after", 2),
    ] and kept == [2, 3, 4]
    assert "out of memory" in found[1]["error"] and "TimeLimitError" in found[2]["error"]
    late = engine.measure(engine.Bench("cpu", engine.TINY), parts[2:], 0, kept.append)
    assert late[0]["error"] == "TimeLimitError: no time was left"


HOURS = 36_000  # seconds: no limit, however busy the machine is
TRIED = (
    "peaks",
    "step, tiny",
    "loop, tiny",
    "views, 48 → 32 px",
    "unet",
    "sampler",
    "probe",
    "probes",
    "generator programs",
    "stored, SmallAlexNet",
)


def test_the_command_measures_at_tiny_sizes_on_a_cpu_and_leaves_the_committed_file(
    runs, monkeypatch
):
    every = engine.parts(engine.TINY, True)
    monkeypatch.setattr(
        engine,
        "parts",
        lambda sizes, card: [
            dataclasses.replace(part, seconds=HOURS) for part in every if part.name in TRIED
        ],
    )
    monkeypatch.setattr(
        sys,
        "argv",
        ["benchmarks", "--card", "--device", "cpu", "--threads", "1", "--seconds", str(HOURS)],
    )
    before = {
        path: path.read_bytes() for path in (files.root() / "results" / "benchmarks").iterdir()
    }
    command.main()
    (path,) = (runs / "benchmarks").iterdir()
    machine = json.loads(path.read_text())
    assert {e["part"] for e in machine["engine"]} == set(TRIED) and machine["engine_from"][
        "kind"
    ] == "cpu"
    for e in machine["engine"]:
        assert (
            "error" not in e
            and math.isfinite(e["value"])
            and e["value"] > 0
            and (e["floor"] is None or e["floor"] > 0)
        ), e
    assert {e["way"] for e in machine["engine"] if "way" in e} == set(speeds.WAYS)
    assert before == {
        path: path.read_bytes() for path in (files.root() / "results" / "benchmarks").iterdir()
    }


def test_a_name_that_no_pair_has_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--device", "cpu", "--only", "nose"])
    with pytest.raises(SystemExit) as refusal:
        command.main()
    assert refusal.value.code == 2 and "--only nose: no pair's name begins so" in (
        capsys.readouterr().err
    )


def test_pictures_from_files_are_those_that_were_written_in_the_order_of_the_plan(tmp_path):
    pictures = torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8)
    stored.write_pictures(pictures, tmp_path)
    plan = [
        (0, 0, torch.tensor([3, 1, 7])),
        (1, 0, torch.tensor([0, 11])),
        (2, 1, torch.tensor([5, 5, 2])),
    ]
    found = list(stored.Files(tmp_path, 12, "cpu", 2).prefetch(plan))
    assert [step[0] for step, _ in found] == [0, 1, 2] and all(
        torch.equal(x, pictures[step[2]]) for step, x in found
    )


def test_the_small_transformer_has_the_published_size():
    assert (
        5.2e6 < sum(p.numel() for p in stored.TinyViT(64).parameters()) < 5.8e6
    )  # ViT-Tiny: 5.7 million with 1,000 classes and 16-px patches


def test_the_self_check_says_what_fails_and_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(self_check, "graph", lambda device: 1 / 0)
    self_check.graph.__name__ = "graph"
    monkeypatch.setattr(sys, "argv", ["self_check", "--device", "cpu"])
    self_check.main()
    graph, views, step = capsys.readouterr().out.splitlines()
    assert (
        graph == "self-check, graph: FAILED, ZeroDivisionError: division by zero"
        and "no kernel here: tensor operations, which differs by 0 at most" in views
        and "loss -" in step
    )


STUB = """#!/usr/bin/env bash
echo "$*" >> "$LOG"
case "$*" in
  *"--missing") echo scipy_stub ;;
  *benchmarks*--card*) exit 3 ;;
  *"-c "*) exit 1 ;;
  *"zipfile -e"*) mkdir -p "$5" ;;
esac
"""


def test_the_script_for_a_card_goes_on_after_a_failure_and_brings_back_models_in_parts(tmp_path):
    stub, log, models = tmp_path / "python", tmp_path / "log", tmp_path / "runs" / "models"
    stub.write_text(STUB)
    stub.chmod(0o755)
    models.mkdir(parents=True)
    (models / "a.safetensors").write_bytes(content := os.urandom(2_500_000))
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "scipy_stub-1.0-py3-none-any.whl").touch()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHON": str(stub),
        "LOG": str(log),
        "PART": "1",
        "SYNTHLEARN_RUNS": str(tmp_path / "runs"),
    }
    script = [
        files.root() / "benchmarks" / "card.sh",
        tmp_path / "out",
        "--minutes",
        "2.5",
        "--vendor",
        tmp_path / "vendor",
        "--device",
        "cpu",
    ]
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "missing here: scipy_stub" in done.stdout, done.stderr
    called = [line for line in log.read_text().splitlines() if line.startswith("-m")]
    assert [re.sub(r"/\S+/|[\d.]+$", "", line) for line in called] == [
        "-m benchmarks.self_check --missing",
        "-m zipfile -e scipy_stub-1.0-py3-none-any.whl vendor",
        "-m benchmarks.self_check --missing",
        "-m benchmarks.self_check --device cpu",
        "-m benchmarks --card --device cpu --seconds ",
        "-m synthlearn run --profile gpu --device cpu --minutes ",
    ]
    assert 2 < float(called[-1].split()[-1]) < 2.5  # what is left of 2.5 minutes
    parts = sorted((tmp_path / "out").glob("models.tar.part-*"))
    assert len(parts) == 3 and max(part.stat().st_size for part in parts) <= 1 << 20
    (tmp_path / "joined.tar").write_bytes(b"".join(part.read_bytes() for part in parts))
    subprocess.run(["tar", "-xf", "joined.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "models" / "a.safetensors").read_bytes() == content
    kept = subprocess.run(
        ["tar", "-tzf", tmp_path / "out" / "results.tar.gz"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "./bench.txt" in kept and "./results/benchmarks/" in kept


def card(**values):
    """A machine of which the card alone was measured."""
    entry = {
        "unit": "s",
        "goal": None,
        "met": None,
        "floor": None,
        "share": None,
        "memory_mb": 5000,
    }
    lines = [
        {**entry, "what": "matrix product 8192³, bf16", "value": 800.0, "unit": "TFLOP/s"},
        {
            **entry,
            "what": "training step, width 1, 64 px, batch 768, bf16",
            "value": 25.0,
            "unit": "ms",
            "goal": 30.0,
            "met": True,
            "floor": 10.0,
            "share": 0.4,
        },
        {**entry, "what": "generator stat-wmm, 128 px", "value": 1000.0, "unit": "images/s"},
        {"what": "compiled", "value": None, "error": "no time was left"},
        *(
            {
                **entry,
                "what": f"training ViT-Tiny {way}",
                "value": v,
                "unit": "images/s",
                "model": "ViT-Tiny",
                "way": way,
            }
            for way, v in values.items()
        ),
    ]
    return {
        "device": "card",
        "engine": lines,
        "engine_from": {
            "device": "card",
            "kind": "cuda",
            "date": "2026-11-28",
            "torch": "2.11",
            "commit": "c",
        },
    }


def cells(shown):
    return [
        re.findall(r"<td>(.*?)</td>", line)
        for line in re.findall(r"<tr>(<td>.*?)</tr>", shown.content)
    ]


def test_pages_show_a_card_where_there_is_one_and_cope_where_there_is_none(monkeypatch):
    monkeypatch.setattr(speeds, "measurements", lambda: [])
    assert "No GPU has been measured yet" in speeds.engine_tables().content
    assert all(gain in speeds.stored_table().content for gain in speeds.PEER.values())
    assert scale.speed()[:2] == (scale.MATMUL, scale.SHARES)
    monkeypatch.setattr(
        speeds, "measurements", lambda: [card(memory=1000.0, files=500.0, generated=800.0)]
    )
    assert (
        speeds.ratios_table().content == ""
        and "make bench makes one" in speeds.ratios_figure().content
    )
    lines = cells(speeds.engine_tables())
    assert (
        lines[1][1:] == ["25 ms", "30 ✓", "10", "40 %", "5,000"]
        and "no time was left" in lines[3][1]
    )
    tiny, base = cells(speeds.stored_table())
    assert (
        tiny[1:6] == ["1,000", "500", "800", "+60 %", "-20 %"]
        and base[1] == "not measured yet"
        and "◇" in tiny[6]
        and "◇" in base[6]
    )


def test_the_plan_uses_what_a_card_has_measured(monkeypatch):
    monkeypatch.setattr(speeds, "measurements", lambda: [card()])
    monkeypatch.setattr(scale, "RUNS", scale.RUNS[:2])
    run, line = scale.RUNS[0], cells(scale.training_table())[0]
    hours = (
        run.images
        * run.times
        * run.passes
        * scale.forward_flop(run.encoder, run.input_size)
        / (0.4 * 800e12)
        / 3600
    )
    assert line[5] == f"{hours:,.3g}" and "measured on card" in scale.speed()[2]
    monkeypatch.setattr(scale, "png_bytes", lambda name, side: 1.0)
    by_name = {line[0]: line[3] for line in cells(scale.pictures_table({}))}
    assert (
        by_name["wavelet marginals"] == f"{scale.RUNS[1].images * 4 / 1000 / 3600:,.2g}"
        and by_name["sigma fractals"] == "–"
    )
