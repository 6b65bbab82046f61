"""The workflow plans what the study names: every row and measurement once, on one machine and on a cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from synthlearn import study
from synthlearn.core import files
from synthlearn.study import measurements, profiles


@pytest.mark.parametrize(
    ("name", "more"), [("smoke", ()), ("gpu", ("--workflow-profile", "workflow/profiles/slurm"))]
)
def test_a_dry_run_plans_every_row_and_measurement(name, more, tmp_path):
    profile = profiles.defaults(name)
    rows = [
        (row.name, seed)
        for row in study.wanted(profile)
        for seed in range(row.profile(profile).seeds)
    ]
    planned = [
        (what, row.name, seed)
        for what in measurements.plans()
        for row, seed in measurements.planned(what, profile)
    ]
    cores = () if more else ("--cores", "1")
    command = [
        Path(sys.executable).with_name("snakemake"),
        "--snakefile",
        "workflow/Snakefile",
        *more,
        *cores,
        "--dry-run",
        "--config",
        f"profile={name}",
    ]
    environment = {**os.environ, "SYNTHLEARN_RUNS": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--", "rows"],
        cwd=files.root(),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout + done.stderr
    assert len(set(re.findall(rf"output: (runs/done/{name}/[^/\s]+)$", said, re.MULTILINE))) == len(
        rows
    )
    assert len(
        set(re.findall(rf"output: (runs/done/{name}/[^/\s]+/[^/\s]+)$", said, re.MULTILINE))
    ) == len(planned)
    if more:  # a cluster is told what a job needs
        asked = re.findall(r"rule row:.*?resources: (.*?)$", said, re.MULTILINE | re.DOTALL)
        assert len(asked) == len(rows)
        for line in asked:
            assert (
                "gpu=1" in line
                and int(re.search(r"mem_mb=(\d+)", line)[1]) >= 4000
                and int(re.search(r"runtime=(\d+)", line)[1]) > 10
            )
