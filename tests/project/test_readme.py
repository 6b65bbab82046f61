"""The README's commands and code, and those of ``--help``, run as they stand there.

``make`` itself is what CI runs.
"""

import re
import subprocess

import pytest

from synthlearn.__main__ import EXAMPLES
from synthlearn.core import files

ROOT = files.root()
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Not run here: what sets up a shell, needs a GPU or a model, or takes hours. Each must stand in the
# README or in --help.
LEFT_OUT = (
    "source .venv/bin/activate",
    "accelerate launch --num_processes 8 -m synthlearn pretrain --row dead_leaves-mixed",
    "python -m synthlearn compare --sources",  # wants the reader's images; test_compare.py runs it
    "python -m synthlearn verify --against COMMIT",
    "python -m synthlearn run --profile cpu",
    "python -m synthlearn run --profile gpu",  # wants a card; test_schedule.py does without
    "python -m synthlearn search --profile cpu --jobs 2",
    "python -m synthlearn status --profile cpu",  # wants CIFAR-10
    "python -m benchmarks --card",
    "benchmarks/card.sh OUT",
    'model = "stable-diffusion',
)
# What its training of timm's network takes, and what it takes here.
FEWER = {"n=20_000": "n=32", "batch_size=128": "batch_size=16", "range(10)": "range(1)"}
CHAPTER = "papermill notebooks/04_fractals.ipynb"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def lines(text):
    """Commands without their comments; of ``make`` and LEFT_OUT, none."""
    commands = [line.partition("   #")[0].strip() for line in text.splitlines()]
    return [line for line in commands if line and not line.startswith(("make ", *LEFT_OUT))]


@pytest.fixture
def place(tmp_path):
    """A folder that has of the project what the commands name."""
    for name in ("notebooks", "book"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def ignored(names):
    """Those of some files and folders of the project's root that git leaves alone."""
    asked = [str(name) for name in names]
    done = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    return set(done.stdout.split())


def test_what_is_left_out_is_there():
    for start in LEFT_OUT:
        assert re.search(rf"^\s*{re.escape(start)}", README + EXAMPLES, re.MULTILINE), start


def test_the_commands_and_code_run_as_written_and_leave_git_status_clean(place, shell):
    """Those of the README, and of ``--help`` what it has besides; each once, in their order."""
    examples = re.findall(r"^  (python -m .*)$", EXAMPLES, re.MULTILINE)
    commands = [line for block in blocks("bash") for line in lines(block)]
    assert len(lines("\n".join(examples))) >= 5
    for i, command in enumerate(dict.fromkeys([*commands, *lines("\n".join(examples))])):
        if not command.startswith(CHAPTER):
            shell(command, place, fresh=i < 2, SYNTHLEARN_RUNS=str(place / "runs"))
    code = [block for block in blocks("python") if not block.startswith(LEFT_OUT)]
    for large, small in FEWER.items():
        assert sum(large in block for block in code) == 1, large
        code = [block.replace(large, small) for block in code]
    assert len(code) >= 5
    checks = """
assert images.shape == (64, 3, 128, 128) and images.dtype == torch.uint8
assert batch.shape == (16, 3, 64, 64) and 0 <= batch.min() and batch.max() <= 1
assert network(batch).shape == (16, 512)  # exported, and made again by timm
assert first.shape == second.shape == (8, 3, 48, 48) and not (first == second).all((1, 2, 3)).any()
assert features.shape == (8, 512)
"""
    # as the README says for this kind of machine: a CPU torch beside PyPI's torchvision
    first = "import synthlearn.core.vision\n"
    (place / "code.py").write_text(first + "\n".join(code) + checks)
    shell("python code.py", place, SYNTHLEARN_RUNS=str(place / "runs"))
    made = {path.name for path in place.iterdir()} - {"notebooks", "book", "code.py"}
    made = {f"{name}/" if (place / name).is_dir() else name for name in made}
    assert {"leaves/", "encoder.safetensors", "seen/"} <= made and ignored(made) == made


def test_the_readmes_chapter_runs_without_a_false_warning(place, shell):
    """As written, but for a hundredth of the epochs, on fewer pictures."""
    (command,) = (
        line for block in blocks("bash") for line in lines(block) if line.startswith(CHAPTER)
    )
    assert "-p epochs 200" in command
    command = command.replace("-p epochs 200", "-p epochs 2 -p n_images 64")
    done = shell(command, place, SYNTHLEARN_RUNS=str(place / "runs"))
    assert "unknown parameter" not in done.stdout + done.stderr
    assert (place / "out.ipynb").exists() and ignored(["out.ipynb"])
