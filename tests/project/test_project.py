"""The project's own promises: one list of dependencies, no large file, commands that exist."""

import importlib.metadata
import json
import os
import re
import shutil
import site
import subprocess
import tomllib
import venv

import pytest

from synthlearn.core import files
from synthlearn.learn import reference

ROOT = files.root()


def tracked():
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for path in done.stdout.splitlines() if (ROOT / path).is_file()]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {
        canonical(line.split("==")[0]): line.split("==")[1]
        for line in lines
        if line and not line.startswith("#")
    }


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *(d for name in extras for d in extras[name])]
    return {canonical(re.split(r"[<>=!\[ ]", d)[0]): d for d in every}


def test_every_declared_dependency_is_locked_within_its_bounds():
    from packaging.requirements import Requirement

    lock = locked()
    for name, requirement in declared().items():
        if name in ("jupyterlab", "jupyterlab-myst"):  # for readers alone
            continue
        assert name in lock, name
        assert Requirement(requirement).specifier.contains(lock[name]), requirement


def test_torch_and_torchvision_come_first_and_together():
    lines = [
        line
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if not line.startswith("#")
    ]
    torch, vision = lines[:2]
    assert torch.startswith("torch==2.") and vision.startswith("torchvision==0.")
    assert int(vision.split(".")[1]) == int(torch.split(".")[1]) + 15


def test_conda_users_get_the_same():
    text = (ROOT / "environment.yml").read_text()
    assert "-r requirements.lock" in text and "-e ." in text
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    version = re.search(r"python=(\d\.\d+)", text)[1]
    from packaging.specifiers import SpecifierSet

    assert SpecifierSet(python).contains(version)


def test_every_dependency_says_why():
    text = (ROOT / "pyproject.toml").read_text()
    for line in re.findall(r'^  "[a-z].*$', text.split("[project.entry-points")[0], re.MULTILINE):
        assert "# " in line, line


def test_no_large_file_and_no_machine_path():
    for path in tracked():
        limit = 800_000 if path.startswith("results/pages/") else 500_000
        assert (ROOT / path).stat().st_size <= limit, path
        if path.endswith((".py", ".md", ".toml", ".yml", ".json", ".ipynb", "Makefile", ".lock")):
            found = re.search(
                r"(?<![\w.])/(?:home|root|work|tmp|Users)/\w",
                (ROOT / path).read_text(encoding="utf-8"),
            )
            assert found is None or path.startswith("tests/"), (path, found)


def test_source_notebooks_hold_no_outputs():
    for path in tracked():
        if path.startswith("notebooks/") and path.endswith(".ipynb"):
            assert '"output_type"' not in (ROOT / path).read_text(), path


def test_make_help_names_every_target_of_the_readme():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) <= 24
    for target in re.findall(
        r"(?:^|`|&& )make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE
    ):
        assert re.search(rf"^{target}\b", done.stdout, re.MULTILINE), target


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            'echo "pyenv: python: command not found" >&2; exit 127',
            "does not run: see its message above",
        ),
        ('case "$2" in "") ;; *) exit 1;; esac', "is not Python 3.11, 3.12 or 3.13"),
        (None, "not found: install Python 3.11, 3.12 or 3.13"),
    ],
)
def test_set_up_says_what_is_wrong_with_a_python(body, said, tmp_path):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    if body:
        python.write_text(f"#!/bin/sh\n{body}\n")
        python.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (
        done.returncode and f"{python} {said}" in done.stdout and not (tmp_path / ".venv").exists()
    )


def test_kernels_of_the_set_up_do_not_warn_of_eavesdroppers(tmp_path):
    (line,) = re.findall(
        r"^\t@(.*ipython_kernel_config.py)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    venv.create(tmp_path / "venv")
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (packages / "ours.pth").write_text("\n".join(site.getsitepackages()))
    subprocess.run(["sh", "-ec", line.replace("$(VENV)", "venv")], cwd=tmp_path, check=True)
    start = (
        "from jupyter_client.manager import KernelManager; "
        "kernel = KernelManager(kernel_name='python3'); "
        "kernel.start_kernel(); client = kernel.client(); client.start_channels(); "
        "client.wait_for_ready(60); kernel.shutdown_kernel(now=True)"
    )
    environment = {**os.environ, "JUPYTER_PATH": "", "IPYTHONDIR": str(tmp_path / "ipython")}
    command = [tmp_path / "venv" / "bin" / "python", "-c", start]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "WARNING" not in done.stderr


def test_the_readmes_commands_are_the_ci_s():
    assert (
        "make test" in (ROOT / ".ci" / "run").read_text()
        and "make test" in (ROOT / "README.md").read_text()
    )


def test_actions_are_pinned_by_commit():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for action in re.findall(r"uses: (.+)$", path.read_text(), re.MULTILINE):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action), (
                path.name,
                action,
            )


def test_citation_workflows_and_hooks_name_what_exists():
    import yaml

    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cited) and cited[
        "license"
    ] == "MIT"
    assert {r["year"] for r in cited["references"]} == {2021, 2023}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    flows = [
        yaml.safe_load(path.read_text())
        for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    ]
    steps = [
        step["run"]
        for flow in flows
        for job in flow["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    for command in [hook["entry"] for hook in hooks] + steps:
        assert command == ".ci/run" or (
            command.startswith("make ") and command.split()[1] in targets
        ), command
    archived = json.loads((ROOT / ".zenodo.json").read_text())
    assert archived["title"] == cited["title"] and archived["license"] == cited["license"]
    told = re.findall(r"^make ([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert (
        told
        and set(told) <= targets
        and len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 40
    )


def test_every_pinned_package_runs_on_every_python_that_we_name():
    """As each says of itself, from the first release of 3.11 on; weights that are not installed say
    nothing."""
    from packaging.specifiers import SpecifierSet

    lock = locked()
    if not reference.is_here():
        del lock[canonical(reference.PACKAGE)]
    for name, version in lock.items():
        package = importlib.metadata.distribution(name)
        if package.version.partition("+")[0] == version:
            bounds = SpecifierSet(package.metadata.get("Requires-Python") or "")
            for python in ("3.11.0", "3.12.0", "3.13.0"):
                assert bounds.contains(python), (name, version, str(bounds))
