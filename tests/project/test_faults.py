"""Faults injected into whole commands: bits flipped in everything stored, writers side by side,
kills at any moment.

Each command runs in a process of its own, forked from a server that has the libraries loaded and
has done nothing else: a fork of this process has the locks that other threads held, and none of
the threads that would open them.
"""

import json
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest
import torch
from as_python import as_command
from PIL import Image

import synthlearn as sl
from synthlearn.__main__ import main
from synthlearn.core import files
from synthlearn.core.errors import CheckpointError
from synthlearn.data import datasets, image_set, stream
from synthlearn.generators import fractaldb
from synthlearn.learn import encoders
from synthlearn.measure import memory

TINY = [
    word for field in ("n_images=32", "batch_size=16", "width=0.0625") for word in ("--set", field)
]
FLIPS = 40


@pytest.fixture(autouse=True)
def scratch(runs, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(tmp_path_factory):
    """Begins a command in a process of its own."""
    outputs = tmp_path_factory.mktemp("outputs")

    def begin(*words):
        printed = outputs / str(len(list(outputs.iterdir())))
        printed.touch()
        words = [str(word) for word in words]
        process = multiprocessing.get_context("forkserver").Process(
            target=as_command,
            args=(words, Path.cwd(), dict(os.environ), printed),
            name=str(printed),
        )
        process.start()
        return process

    return begin


def finish(*processes):
    """Their exit codes; one that has not ended after two minutes fails the test, with its words."""
    for process in processes:
        process.join(120)
        if process.exitcode is None:
            process.kill()
            pytest.fail(f"hangs: {Path(process.name).read_text()}")
    return [process.exitcode for process in processes]


def content(folder):
    """Every file below a folder, but for those that hold times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pictures(folder, n=6, seed=0):
    for c in ("noise-white", "dead_leaves-squares"):
        (folder / c).mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(sl.generator(c).sample(range(n), 40, seed=seed)):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / c / f"{seed}-{i}.png")
    return folder


def flipped(path, number):
    """Contents of a file with one bit flipped, cut off, emptied and longer."""
    good, numbers = path.read_bytes(), random.Random(0)
    for _ in range(number):
        changed, bit = bytearray(good), numbers.randrange(8 * len(good))
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)
    yield from (b"", good[: len(good) // 2], good[:-1], good + b"\0")


def test_a_damaged_encoder_is_refused(tmp_path):
    path = tmp_path / "encoder.safetensors"
    encoders.save(path, encoders.SmallAlexNet(1 / 16, 32, 0), {})
    for changed in flipped(path, FLIPS):
        path.write_bytes(changed)
        with pytest.raises(CheckpointError):
            encoders.load(str(path))


def test_a_damaged_pool_is_made_again(runs):
    source = sl.generator("noise-white")
    good = stream.pool(source, 8, 32).clone()
    (path,) = (runs / "pools").iterdir()
    for changed in flipped(path, FLIPS):
        path.write_bytes(changed)
        assert torch.equal(stream.pool(source, 8, 32), good)


def test_damaged_categories_are_searched_again(runs):
    good = fractaldb.categories(1, seed=5).clone()
    (path,) = (path for path in runs.rglob("*") if path.is_file())
    for changed in list(flipped(path, 1))[:3]:
        path.write_bytes(changed)
        fractaldb.categories.cache_clear()
        assert torch.equal(fractaldb.categories(1, seed=5), good)


def test_a_damaged_memory_is_refused(tmp_path, capsys):
    pictures(tmp_path / "images")
    assert (
        main(["memory", "build", "--encoder", "random", "--images", "images", "--memory", "seen"])
        == 0
    )
    whole = memory.Memory.load(tmp_path / "seen")
    for path in sorted((tmp_path / "seen").iterdir()):
        good = path.read_bytes()
        for changed in flipped(path, FLIPS):
            path.write_bytes(changed)
            if changed.split() == good.split():  # a line's end at the end of the index
                continue
            with pytest.raises(CheckpointError):
                memory.Memory.load(tmp_path / "seen")
        path.write_bytes(good)
    again = memory.Memory.load(tmp_path / "seen")
    assert again.names == whole.names and torch.equal(again.embeddings, whole.embeddings)


@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
def test_a_damaged_export_is_made_again(tmp_path, form, capsys):
    words = [
        "generate",
        "--generator",
        "noise-white",
        "--n",
        "5",
        "--size",
        "16",
        "--out",
        "set",
        "--format",
        form,
    ]
    assert main(words) == 0
    whole = content(tmp_path / "set")
    for path in sorted(
        path for path in (tmp_path / "set").rglob("*") if path.suffix in (".png", ".tar")
    ):
        for changed in flipped(path, 6):
            path.write_bytes(changed)
            assert main(words) == 0
            assert content(tmp_path / "set") == whole
    label = (tmp_path / "set" / "generator.json").read_bytes()
    for changed in flipped(tmp_path / "set" / "generator.json", 12):
        if changed.split() == label.split():
            continue
        (tmp_path / "set" / "generator.json").write_bytes(changed)
        assert main(words) in (1, 2) and "Traceback" not in capsys.readouterr().err


def test_a_damaged_cache_of_real_images_is_read_again(tmp_path, runs, monkeypatch):
    pixels = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
    made = image_set.from_tensor("x", "train", pixels, torch.arange(6) % 2, ["a", "b"])
    good = datasets._cached("x", "train", "v", lambda: made)
    (path,) = (runs / "data").iterdir()
    for changed in flipped(path, FLIPS):
        path.write_bytes(changed)
        found = datasets._cached("x", "train", "v", lambda: made)
        assert (
            torch.equal(found.images, good.images)
            and torch.equal(found.labels, good.labels)
            and found.classes == good.classes
        )


def test_two_that_add_to_a_memory_lose_nothing(command, tmp_path):
    assert finish(
        command(
            "memory",
            "build",
            "--encoder",
            "random",
            "--images",
            pictures(tmp_path / "0"),
            "--memory",
            "seen",
        )
    ) == [0]
    for i in (1, 2):
        pictures(tmp_path / str(i), seed=i)
    adding = [
        command(
            "memory",
            "add",
            "--encoder",
            "random",
            "--images",
            tmp_path / str(i),
            "--memory",
            "seen",
        )
        for i in (1, 2)
    ]
    assert finish(*adding) == [0, 0]
    assert len(memory.Memory.load(tmp_path / "seen")) == 36
    assert {path.name.split("-")[0] for path in (tmp_path / "seen").iterdir()} == {
        "index.json",
        "vectors",
    }


def test_of_two_that_build_one_memory_one_is_refused(command, tmp_path):
    pictures(tmp_path / "images")
    building = [
        command("memory", "build", "--encoder", "random", "--images", "images", "--memory", "seen")
        for _ in range(2)
    ]
    assert sorted(finish(*building)) == [0, 2]
    assert len(memory.Memory.load(tmp_path / "seen")) == 12


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
def test_two_that_generate_into_one_folder_make_one_set(command, tmp_path, seeds, form):
    words = [
        "generate",
        "--generator",
        "noise-white",
        "--n",
        "40",
        "--size",
        "32",
        "--format",
        form,
    ]
    statuses = finish(*(command(*words, "--seed", seed, "--out", "set") for seed in seeds))
    assert 0 in statuses and set(statuses) <= ({0} if seeds == (0, 0) else {0, 1, 2})
    if seeds != (0, 0):
        assert sorted(statuses) != [0, 0]
    there = json.loads((tmp_path / "set" / "generator.json").read_text())["seed"]
    assert finish(command(*words, "--seed", there, "--out", "alone")) == [0]
    assert content(tmp_path / "set") == content(tmp_path / "alone")


KILLED = {
    "generate": [
        "generate",
        "--generator",
        "noise-white",
        "--n",
        "300",
        "--size",
        "64",
        "--out",
        "made",
    ],
    "pretrain": [
        "pretrain",
        "--generator",
        "noise-white",
        *TINY,
        "--set",
        "epochs=4",
        "--out",
        "made/encoder.safetensors",
        "--force",
    ],
    "run": ["run", "--profile", "smoke", "--row", "random", "--set", "per_class=20"],
    "memory": [
        "memory",
        "build",
        "--encoder",
        "random",
        "--images",
        "images",
        "--memory",
        "made",
        "--force",
    ],
}


def results(tmp_path, runs):
    """What a command leaves, without times: files, and records but for their cost and date."""
    found = content(tmp_path / "made") if (tmp_path / "made").exists() else {}
    for path in sorted([*runs.glob("records/**/*.json"), *runs.glob("measurements/**/*.json")]):
        record = json.loads(path.read_text())
        found[path.name] = [record["id"], record["results"], record.get("curves")]
    return found


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_command_goes_on_and_ends_as_one_that_was_not(
    command, name, tmp_path, runs, monkeypatch
):
    pictures(tmp_path / "images", 30)
    assert finish(command("--help")) == [0]  # the server has begun, which takes seconds
    began = time.perf_counter()
    assert finish(command(*KILLED[name])) == [0]
    lasted = time.perf_counter() - began
    whole = results(tmp_path, runs)
    assert whole
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path / "others"))
    if (tmp_path / "made").exists():
        (tmp_path / "made").rename(tmp_path / "first")
    for share in (0.3, 0.6, 0.9) if lasted < 2 else (0.5,):
        process = command(*KILLED[name])
        time.sleep(share * lasted)
        process.kill()
        process.join()
    assert finish(command(*KILLED[name])) == [0]
    assert results(tmp_path, tmp_path / "others") == whole
    left = [
        path.name
        for path in tmp_path.rglob("*")
        if files.TEMPORARY in path.name or path.name.endswith((".lock", ".checkpoint"))
    ]
    assert not left
