"""The page on extending, step by step as it is written."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from synthlearn import files

ROOT = files.root()
PAGE = (ROOT / "book" / "extend.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def call(arguments, where, library):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SYNTHLEARN")}
    environment = kept | {"PYTHONPATH": os.pathsep.join(map(str, library)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-P", *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what the page changes, changed as it says."""
    root = tmp_path_factory.mktemp("extended")
    for part in ("lib", "workflow", "tests"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "lib" / "synthlearn" / "generators" / "stripes.py").write_text(blocks("python")[0])
    with (root / "workflow" / "study.toml").open("a") as study:
        study.write("\n" + blocks("toml")[0])
    return root


def test_the_generator_is_short_and_its_commands_work(checkout):
    assert len([line for line in blocks("python")[0].splitlines() if line.strip()]) <= 30
    generate, contract = blocks("bash")[0].splitlines()
    call(generate.split()[1:], checkout, [checkout / "lib"])
    assert len(list((checkout / "stripes").rglob("*.png"))) == 8
    out = call(["-m", *contract.split(), "-p", "no:cacheprovider"], checkout, [checkout / "lib"])
    assert "failed" not in out and int(re.search(r"(\d+) passed", out)[1]) >= 5


def test_the_row_gives_a_record(checkout):
    out = call(blocks("bash")[1].split()[1:], checkout, [checkout / "lib"])
    assert out.startswith("stripes seed 0: fc6") and list((checkout / "runs" / "records" / "smoke").glob("stripes-s0.json"))


def test_another_package_can_offer_it(tmp_path):
    (tmp_path / "stripes.py").write_text(blocks("python")[0])
    point = re.search(r'stripes = "(\w+)"', blocks("toml")[1])[1]
    information = tmp_path / "stripes-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[synthlearn.generators]\nstripes = {point}\n")
    out = call(["-c", "import synthlearn as sl; print(sl.generator('stripes').sample([1, 2], 32).shape)"], tmp_path, [tmp_path, ROOT / "lib"])
    assert out.strip() == "torch.Size([2, 3, 32, 32])"
