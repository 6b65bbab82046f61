"""The page on extending, step by step as it is written."""

import json
import re
import shutil

import pytest
from PIL import Image

import synthlearn as sl
from synthlearn.core import files

ROOT = files.root()
PAGE = (ROOT / "book" / "extend.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def add(path, text):
    with path.open("a") as file:
        file.write(f"\n\n{text}")


@pytest.fixture(scope="module")
def run(checkout, shell):
    """Runs a command in the changed copy, with its library, and returns what it prints."""
    return lambda command: shell(command, checkout, [checkout / "lib"]).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, shell):
    """A copy of the project, changed as the page says."""
    root = tmp_path_factory.mktemp("extended")
    for part in ("lib", "workflow", "tests", "benchmarks", "book"):
        shutil.copytree(
            ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for part in ("pyproject.toml", "_toc.yml", "_config.yml"):
        shutil.copy(ROOT / part, root)
    (root / "notebooks").mkdir()
    library = root / "lib" / "synthlearn"
    generator, method, measurement, rule = blocks("python")
    (library / "generators" / "stripes.py").write_text(generator)
    (library / "learn" / "methods" / "cosine.py").write_text(method)
    (library / "measure" / "class_means.py").write_text(measurement)
    (library / "study" / "rules" / "class_means.py").write_text(rule)
    row, _, measured, claim = blocks("toml")
    add(root / "workflow" / "study.toml", row)
    add(root / "workflow" / "measurements.toml", measured)
    add(root / "book" / "claims.toml", claim)
    baselines = "      - file: notebooks/07_baselines\n"
    toc = (root / "_toc.yml").read_text()
    (root / "_toc.yml").write_text(toc.replace(baselines, baselines + blocks("yaml")[0]))
    for command in blocks("bash")[1].splitlines()[:2]:  # the chapter
        shell(command, root, [root / "lib"])
    return root


def test_the_generator_is_short_and_its_commands_work(checkout, run, shell):
    assert len([line for line in blocks("python")[0].splitlines() if line.strip()]) <= 30
    generate, contract, bench = blocks("bash")[0].splitlines()
    run(generate)
    assert len(list((checkout / "stripes").rglob("*.png"))) == 8
    out = run(f"{contract} -p no:cacheprovider")
    assert "failed" not in out and int(re.search(r"(\d+) passed", out)[1]) >= 5
    done = shell(bench, checkout, [checkout / "lib"])
    speed = done.stdout + done.stderr
    ratio, low, high = re.search(
        r"stripes .*/s +(\S+) × numpy_noise \[(\S+), (\S+)\]   memory .+ MB", speed
    ).groups()
    assert (
        0 < float(low) <= float(ratio) <= float(high)
    )  # against white noise small, but not nothing


def test_speeds_are_told_with_three_digits():
    from benchmarks.pairs import line
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
    assert line(row).split() == [
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
    assert line(row | {"goal": 1.5, "memory_mb": None}).endswith("[0.031, 0.04]   goal 1.5")


LISTED = """
import synthlearn as sl
from synthlearn.site import build
from synthlearn.book.pages import gallery
print(build.chapters(), [name for name, row in gallery.generators_with_rows() if row])
"""


def test_the_row_and_its_chapter_give_a_record_a_page_and_a_tile(checkout, run):
    run(blocks("bash")[1].splitlines()[2])
    page = json.loads((checkout / "out.ipynb").read_text())
    html = "".join(
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in page["cells"]
        for output in cell.get("outputs", [])
    )
    assert "<td>stripes</td>" in html and "gain over random" in html
    assert "Sixteen pictures of the set stripes" in html
    assert run(blocks("bash")[2]).startswith("stripes seed 0: fc6")
    assert list((checkout / "runs" / "records" / "smoke").glob("stripes-s0.json"))
    listed = run(f"python -c '{LISTED}'")
    assert "'08_stripes'" in listed and "'stripes'" in listed


def test_the_method_trains_and_its_encoder_is_probed_on_a_folder(checkout, run):
    pretrain, contract = blocks("bash")[3].splitlines()
    run(pretrain)
    passed = run(f"{contract} -p no:cacheprovider")
    assert "failed" not in passed and int(re.search(r"(\d+) passed", passed)[1]) >= 2
    for split in ("train", "test"):
        for name in ("noise-perlin", "dead_leaves-squares"):
            (checkout / "DIR" / split / name).mkdir(parents=True)
            for i, picture in enumerate(sl.generator(name).sample(range(24), 32, seed=len(split))):
                Image.fromarray(picture.permute(1, 2, 0).numpy()).save(
                    checkout / "DIR" / split / name / f"{i}.png"
                )
    assert "fc6" in run(blocks("bash")[5])


JUDGED = """
from synthlearn import study
from synthlearn.study import claims
from synthlearn.study.rules import Known
(claim,) = (c for c in claims.read() if c.id == "stripes_class_means")
measured = {"class_means": study.measured("class_means", study.resolve("smoke"))}
for known in (Known(), Known(measured=measured)):
    print(*(evidence.text for evidence in claim.evidence(known)))
"""


def test_the_measurement_measures_its_example_runs_and_its_claim_is_judged(run):
    measure, example = blocks("bash")[4].splitlines()
    lines = run(measure).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "class_means of random seed 0",
        "class_means of stripes seed 0",
    ]
    assert all(re.search(r": nearest mean 0\.\d{3}$", line) for line in lines)
    assert "1 passed" in run(f"{example} -p no:cacheprovider")
    without, judged = run(f"python -c '{JUDGED}'").splitlines()
    assert without == "class means: no record" and judged.startswith("stripes − ")


def test_another_package_can_offer_it(tmp_path, shell):
    (tmp_path / "stripes.py").write_text(blocks("python")[0])
    point = re.search(r'stripes = "(\w+)"', blocks("toml")[1])[1]
    information = tmp_path / "stripes-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[synthlearn.generators]\nstripes = {point}\n")
    shown = "import synthlearn as sl; print(sl.generator('stripes').sample([1, 2], 32).shape)"
    out = shell(f'python -P -c "{shown}"', tmp_path, [tmp_path, ROOT / "lib"])
    assert out.stdout.strip() == "torch.Size([2, 3, 32, 32])"
