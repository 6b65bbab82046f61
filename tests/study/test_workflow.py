"""The workflow plans what the study names: every row and measurement once, on one machine and on a
cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from synthlearn.core import files
from synthlearn.study import jobs, profiles


@pytest.mark.parametrize(
    ("name", "more"), [("smoke", ()), ("gpu", ("--workflow-profile", "workflow/profiles/slurm"))]
)
def test_a_dry_run_plans_every_row_and_measurement(name, more, tmp_path):
    profile = profiles.defaults(name)
    rows, planned = list(jobs.experiments(profile)), list(jobs.measurings(profile))
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
    output = done.stdout + done.stderr
    marker = rf"output: (runs/done/{name}/[^/\s]+)$"
    assert len(set(re.findall(marker, output, re.MULTILINE))) == len(rows)
    marker = rf"output: (runs/done/{name}/[^/\s]+/[^/\s]+)$"
    assert len(set(re.findall(marker, output, re.MULTILINE))) == len(planned)
    if more:  # a cluster is told what a job needs
        asked = re.findall(r"rule row:.*?resources: (.*?)$", output, re.MULTILINE | re.DOTALL)
        assert len(asked) == len(rows)
        for line in asked:
            assert (
                "gpu=1" in line
                and int(re.search(r"mem_mb=(\d+)", line)[1]) >= 4000
                and int(re.search(r"runtime=(\d+)", line)[1]) > 10
            )
