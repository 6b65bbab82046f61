"""The page on extending, step by step as it is written."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import synthlearn as sl
from synthlearn.core import files

ROOT = files.root()
PAGE = (ROOT / "book" / "extend.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def call(command, where, library):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SYNTHLEARN")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    environment = kept | {
        "PYTHONPATH": os.pathsep.join(map(str, library)),
        "OMP_NUM_THREADS": "1",
        "PATH": path,
    }
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project, changed as the page says."""
    root = tmp_path_factory.mktemp("extended")
    for part in ("lib", "workflow", "tests", "benchmarks", "book"):
        shutil.copytree(
            ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for part in ("pyproject.toml", "_toc.yml", "_config.yml"):
        shutil.copy(ROOT / part, root)
    (root / "notebooks").mkdir()
    generator, method = blocks("python")
    (root / "lib" / "synthlearn" / "generators" / "stripes.py").write_text(generator)
    with (root / "lib" / "synthlearn" / "learn" / "methods.py").open("a") as methods:
        methods.write(f"\n\n{method}")
    with (root / "workflow" / "study.toml").open("a") as study:
        study.write("\n" + blocks("toml")[0])
    toc = (root / "_toc.yml").read_text()
    (root / "_toc.yml").write_text(
        toc.replace(
            "      - file: notebooks/07_baselines\n",
            f"      - file: notebooks/07_baselines\n{blocks('yaml')[0]}",
        )
    )
    call("\n".join(blocks("bash")[1].splitlines()[:2]), root, [root / "lib"])  # the chapter
    return root


def test_the_generator_is_short_and_its_commands_work(checkout):
    assert len([line for line in blocks("python")[0].splitlines() if line.strip()]) <= 30
    generate, contract, bench = blocks("bash")[0].splitlines()
    call(generate, checkout, [checkout / "lib"])
    assert len(list((checkout / "stripes").rglob("*.png"))) == 8
    out = call(f"{contract} -p no:cacheprovider", checkout, [checkout / "lib"])
    assert "failed" not in out and int(re.search(r"(\d+) passed", out)[1]) >= 5
    told = call(f"{bench} 2>&1", checkout, [checkout / "lib"])
    ratio, low, high = re.search(
        r"stripes .*/s +(\S+) × numpy_noise \[(\S+), (\S+)\]   memory .+ MB", told
    ).groups()
    assert (
        0 < float(low) <= float(ratio) <= float(high)
    )  # against white noise small, but not nothing


def test_speeds_are_told_with_three_digits():
    from benchmarks.pairs import told
    from benchmarks.timing import digits

    assert [digits(x) for x in (0.00012345, 0.0456, 3.14159, 99.94, 167.4, 12345.6)] == [
        "0.000123",
        "0.0456",
        "3.14",
        "99.9",
        "167",
        "12,346",
    ]
    row = {
        "what": "voronoi",
        "against": "numpy_noise",
        "ours": [1, 167.2, 300],
        "ratio": [0.031, 0.0312, 0.04],
        "goal": None,
        "memory_mb": 0,
    }
    assert told(row).split() == [
        "voronoi",
        "167/s",
        "0.0312",
        "×",
        "numpy_noise",
        "[0.031,",
        "0.04]",
        "memory",
        "below",
        "1",
        "MB",
    ]
    assert told(row | {"goal": 1.5, "memory_mb": None}).endswith("[0.031, 0.04]   goal 1.5")


def test_the_row_and_its_chapter_give_a_record_a_page_and_a_tile(checkout):
    call(blocks("bash")[1].splitlines()[2], checkout, [checkout / "lib"])
    page = json.loads((checkout / "out.ipynb").read_text())
    shown = "".join(
        "".join(o.get("data", {}).get("text/html", ""))
        for cell in page["cells"]
        for o in cell.get("outputs", [])
    )
    assert (
        "<td>stripes</td>" in shown
        and "gain over random" in shown
        and "Sixteen pictures of the set stripes" in shown
    )
    assert call(blocks("bash")[2], checkout, [checkout / "lib"]).startswith("stripes seed 0: fc6")
    assert list((checkout / "runs" / "records" / "smoke").glob("stripes-s0.json"))
    seen = "from synthlearn.site import build; import importlib; b = importlib.import_module('synthlearn.book.leaderboard')"
    out = call(
        f'python -c "{seen}; print(build.chapters()); print([name for name, row in b._shown_generators() if row])"',
        checkout,
        [checkout / "lib"],
    )
    assert "'08_stripes'" in out and "'stripes'" in out


def test_the_loss_and_the_folder_work_too(checkout):
    for split in ("train", "test"):
        for name in ("noise-perlin", "dead_leaves-squares"):
            (checkout / "DIR" / split / name).mkdir(parents=True)
            for i, picture in enumerate(sl.generator(name).sample(range(24), 32, seed=len(split))):
                Image.fromarray(picture.permute(1, 2, 0).numpy()).save(
                    checkout / "DIR" / split / name / f"{i}.png"
                )
    call(blocks("bash")[3], checkout, [checkout / "lib"])
    out = call(blocks("bash")[4], checkout, [checkout / "lib"])
    assert "fc6" in out and (checkout / "own.ipynb").exists()


def test_another_package_can_offer_it(tmp_path):
    (tmp_path / "stripes.py").write_text(blocks("python")[0])
    point = re.search(r'stripes = "(\w+)"', blocks("toml")[1])[1]
    information = tmp_path / "stripes-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[synthlearn.generators]\nstripes = {point}\n")
    shown = "import synthlearn as sl; print(sl.generator('stripes').sample([1, 2], 32).shape)"
    out = call(f'python -P -c "{shown}"', tmp_path, [tmp_path, ROOT / "lib"])
    assert out.strip() == "torch.Size([2, 3, 32, 32])"
