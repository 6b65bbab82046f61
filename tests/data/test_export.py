"""Exported sets: every generator's pictures come back bit for bit, with a card that says how to
make them again.
"""

import json
import multiprocessing
import os
import re
import resource
import shlex
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
import webdataset
from as_python import alone
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_generators import NAMES, light

import synthlearn as sl
from synthlearn.__main__ import main
from synthlearn.commands.arguments import option
from synthlearn.core.errors import DataError, ParameterError, SynthlearnError
from synthlearn.core.vision import torchvision
from synthlearn.data import card, export

FORMS = ("imagefolder", "webdataset")


def write(out, n=5, seed=0, size=8, form="imagefolder", name="noise-white", **options):
    return export.write(sl.generator(name, **options), n, size, seed, out, form)


def content(folder):
    """Every file below a folder with its bytes."""
    found = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def flipped(text, bit):
    """Bytes with one bit changed."""
    changed = bytearray(text)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def interrupted(monkeypatch, pictures):
    """Ctrl-C when so many pictures have been made."""
    made, real = [], export._png

    def png(picture):
        if len(made) == pictures:
            raise KeyboardInterrupt
        made.append(picture)
        return real(picture)

    monkeypatch.setattr(export, "_png", png)


def in_child(function, *arguments):
    """A process, by fork, that calls a function; its exit code is 0, or 2 for an error of ours."""

    def call():
        try:
            function(*arguments)
        except SynthlearnError as error:
            assert "\n" not in str(error)
            os._exit(2)

    process = multiprocessing.get_context("fork").Process(target=alone, args=(call,))
    process.start()
    return process


@pytest.mark.parametrize("name", NAMES)
def test_png_and_webdataset_round_trip(name, tmp_path):
    g = light(name)
    want = g.sample(range(3), 32, seed=2)
    for form in ("imagefolder", "webdataset"):
        export.write(g, 3, 32, 2, tmp_path / form, form)
        described = json.loads((tmp_path / form / "generator.json").read_text())
        assert (
            g.spec().items() <= described.items()
            and described["license"] == "CC0-1.0"
            and described["seed"] == 2
        )
        assert name in (tmp_path / form / "README.md").read_text()
    stored = [
        torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
        for path in sorted((tmp_path / "imagefolder").rglob("*.png"))
    ]
    assert torch.equal(torch.stack(stored), want)
    shards = webdataset.WebDataset(
        str(tmp_path / "webdataset" / "shard-00000.tar"), shardshuffle=False
    ).decode("rgb8")
    assert torch.equal(
        torch.stack([torch.from_numpy(s["png"].copy()).permute(2, 0, 1) for s in shards]), want
    )


@pytest.mark.parametrize("form", FORMS)
def test_maps_come_back_with_their_images_and_are_completed(form, tmp_path):
    leaves, out = sl.generator("dead_leaves-mixed"), tmp_path / "set"
    want = sl.annotate(leaves, range(3), size=32, seed=4)
    arguments = (32, 4, out, form, "cpu", ("order", "edges", "instances"))
    export.write(leaves, 2, *arguments)
    whole = export.write(leaves, 3, *arguments)
    assert (
        "3 pictures" in whole
        and "--labels edges,instances,order" in content(out)["README.md"].decode()
    )
    if form == "imagefolder":
        folder = torchvision.datasets.ImageFolder(str(out / "train"))
        assert len(folder) == 3
        damaged = out / "labels" / "order" / "00000001.png"
        damaged.write_bytes(b"nothing")
        export.write(leaves, 3, *arguments)
        maps = {
            label: np.stack(
                [np.array(Image.open(p)) for p in sorted((out / "labels" / label).iterdir())]
            )
            for label in ("instances", "order", "edges")
        }
        maps["edges"] = maps["edges"] == 255
    else:
        shards = webdataset.WebDataset(str(out / "shard-00000.tar"), shardshuffle=False)
        samples = list(shards.decode("rgb8"))
        maps = {
            label: np.stack([s[f"{label}.npy"] for s in samples])
            for label in want.keys() - {"images"}
        }
        images = torch.stack([torch.from_numpy(s["png"].copy()).permute(2, 0, 1) for s in samples])
        assert torch.equal(images, want["images"])
    for label, values in maps.items():
        assert np.array_equal(values, want[label].numpy())
        assert values.dtype == (np.bool_ if label == "edges" else np.uint16)


def test_maps_are_asked_for_before_anything_is_written(tmp_path):
    with pytest.raises(ParameterError, match="its images have no objects"):
        export.write(sl.generator("noise-white"), 2, 32, 0, tmp_path / "a", labels=["edges"])
    assert not (tmp_path / "a").exists()
    leaves = sl.generator("dead_leaves-squares")
    export.write(leaves, 1, 16, 0, tmp_path / "b")
    with pytest.raises(ParameterError, match="another labels"):
        export.write(leaves, 1, 16, 0, tmp_path / "b", labels=["edges"])
    (tmp_path / "c" / "labels").mkdir(parents=True)
    with pytest.raises(ParameterError, match="labels is there"):
        export.write(leaves, 1, 16, 0, tmp_path / "c", labels=["edges"])


@pytest.mark.parametrize("name", NAMES)
def test_the_cards_command_makes_the_same_set(name, tmp_path):
    export.write(light(name), 2, 32, 5, tmp_path / "a")
    text = (tmp_path / "a" / "README.md").read_text()
    command = shlex.split(
        re.search(r"^python -m synthlearn (.*) --out FOLDER$", text, re.M).group(1)
    )
    assert main([*command, "--out", str(tmp_path / "b")]) == 0
    checksum = re.compile("`([0-9a-f]{64})`")
    assert checksum.search(text).group(1) == checksum.search(
        (tmp_path / "b" / "README.md").read_text()
    ).group(1)


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_export_takes_no_other_set(form, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "o", form=form)
    before = content(tmp_path / "o")
    assert json.loads(before["generator.json"])["n"] == 5 and "README.md" not in before
    others = [{"seed": 1}, {"size": 16}, {"name": "noise-perlin"}]
    for other in others:
        with pytest.raises(ParameterError, match="holds another set"):
            write(tmp_path / "o", **{"form": form, **other})
    with pytest.raises(ParameterError, match=r"holds another set.*format"):
        write(tmp_path / "o", form=FORMS[1 - FORMS.index(form)])
    assert content(tmp_path / "o") == before
    write(tmp_path / "o", form=form)
    write(tmp_path / "whole", form=form)
    assert content(tmp_path / "o") == content(tmp_path / "whole")


@pytest.mark.parametrize("form", FORMS)
def test_a_killed_export_is_completed_to_the_same_bits(form, tmp_path, monkeypatch):
    n, size = 200, 16
    ours, png = os.getpid(), export._png

    def slow(picture):
        """Not done before it is killed."""
        if os.getpid() != ours:
            time.sleep(0.01)
        return png(picture)

    monkeypatch.setattr(export, "_png", slow)
    monkeypatch.setattr(export, "SHARD", 50)
    options = {"n": n, "size": size, "form": form}
    command = f"generate --generator noise-white --n {n} --size {size} --format {form}"
    child = in_child(main, [*command.split(), "--out", str(tmp_path / "o")])
    deadline = time.monotonic() + 100
    pattern = "train/*/00000040.png" if form == "imagefolder" else "shard-00000.tar"
    while not list((tmp_path / "o").glob(pattern)):
        assert child.is_alive() and time.monotonic() < deadline
        time.sleep(0.005)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not (tmp_path / "o" / "README.md").exists()  # it was killed before its end
    write(tmp_path / "o", **options)
    write(tmp_path / "whole", **options)
    assert content(tmp_path / "o") == content(tmp_path / "whole")  # and no debris


@pytest.mark.parametrize("form", FORMS)
def test_a_larger_number_adds_to_the_set_and_a_smaller_one_is_refused(form, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "SHARD", 4)
    write(tmp_path / "o", n=6, form=form)
    first = sorted(path for path in (tmp_path / "o").rglob("*0000.*"))[0]  # a picture or a shard
    stamp, before = first.stat().st_mtime_ns, content(tmp_path / "o")
    with pytest.raises(ParameterError, match=r"n = 5: .* is of 6 pictures of this set"):
        write(tmp_path / "o", n=5, form=form)
    assert content(tmp_path / "o") == before
    write(tmp_path / "o", n=11, form=form)
    write(tmp_path / "whole", n=11, form=form)
    assert content(tmp_path / "o") == content(tmp_path / "whole")
    assert first.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_made_again(form, tmp_path, monkeypatch):
    """A flipped bit that still decodes, too; nothing damaged is kept under the set's name."""
    monkeypatch.setattr(export, "SHARD", 3)
    out = tmp_path / "o"
    write(out, form=form)
    good = content(out)
    for name in good:
        if name == "generator.json":
            continue
        size = len(good[name])
        damaged = [good[name][: size // 2], b"", good[name] + b"\n"]
        damaged += [flipped(good[name], 8 * size * k // 12 + k % 8) for k in range(12)]
        for bad in damaged:
            if name == "README.md" and card.MARK.encode() not in bad:
                continue  # then it is not ours: the test of users' own cards
            (out / name).write_bytes(bad)
            write(out, form=form)
            assert content(out) == good
        (out / name).unlink()
        write(out, form=form)
        assert content(out) == good


def test_a_damaged_identity_is_refused_in_one_line(tmp_path):
    out = tmp_path / "o"
    write(out)
    good = content(out)
    text = good["generator.json"]
    bad = [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 10**5, text[:-5], b'{"n": 1e999}']
    bad += [flipped(text, bit) for bit in range(0, 8 * len(text), 29)]
    harmless = 0
    for damaged in bad:
        (out / "generator.json").write_bytes(damaged)
        try:
            write(out)
            harmless += 1  # a space became another one: it says the same
            assert json.loads(damaged) == json.loads(text)
        except DataError as error:
            assert "generator.json" in str(error) and "\n" not in str(error)
            assert content(out) == {**good, "generator.json": damaged}
        (out / "generator.json").write_bytes(text)
    assert harmless < len(bad) / 10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("second", [0, 1])
def test_two_processes_never_mix_their_sets(form, second, tmp_path):
    children = [in_child(write, tmp_path / "o", 60, seed, 16, form) for seed in (0, second)]
    for child in children:
        child.join()
    codes = [child.exitcode for child in children]
    assert sorted(codes) == ([0, 0] if second == 0 else [0, 2])
    write(tmp_path / "whole", 60, second if codes[0] else 0, 16, form)
    assert content(tmp_path / "o") == content(tmp_path / "whole")


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_no_half_file(form, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "SHARD", 4)

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))  # a shard is larger, as is a sum
        write(tmp_path / "o", 40, form=form)

    child = in_child(full)
    child.join()
    assert child.exitcode == 2
    assert not [name for name in content(tmp_path / "o") if "tmp" in name or "lock" in name]
    write(tmp_path / "o", 40, form=form)
    write(tmp_path / "whole", 40, form=form)
    assert content(tmp_path / "o") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    "name, form",
    [
        ("train/noise-white/cat.png", "imagefolder"),
        ("train/noise-white/00000001.png", "imagefolder"),
        ("train/noise-white/00000007.png", "imagefolder"),
        ("train/cats/00000001.JPG", "imagefolder"),
        ("shard-00000.tar", "webdataset"),
        ("shard-00007.tar", "webdataset"),
        ("generator.sha256", "imagefolder"),
    ],
)
def test_pictures_of_others_are_refused_before_the_first(name, form, tmp_path):
    out = tmp_path / "o"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_bytes(b"theirs")
    with pytest.raises(ParameterError, match=re.escape(name)):
        write(out, form=form)
    assert content(out) == {name: b"theirs"}


def test_pictures_put_into_a_finished_set_are_refused(tmp_path):
    write(tmp_path / "o")
    (tmp_path / "o" / "train" / "noise-white" / "00000005.png").write_bytes(b"theirs")
    with pytest.raises(ParameterError, match=r"00000005.png is not of this set"):
        write(tmp_path / "o")


def test_a_users_own_files_are_left_alone(tmp_path):
    out = tmp_path / "o"
    own = dict.fromkeys(("README.md", "notes.txt", "train/.hidden/a.png", "cat.png"), b"mine")
    for name, text in own.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(text)
    for _ in range(2):
        assert "README.md is yours, the card is generator.md" in write(out)
        found = content(out)
        assert own.items() <= found.items() and b"noise-white" in found["generator.md"]
    (out / "generator.md").write_bytes(b"mine")
    assert "there is no card" in write(out)
    assert content(out)["generator.md"] == b"mine"


def test_a_target_that_cannot_be_written_is_named_and_nothing_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "generator.json").symlink_to(tmp_path / "file")
    for out in (tmp_path / "file", tmp_path / "linked", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match="cannot write"):
            write(out)
    assert (tmp_path / "file").read_text() == "mine"
    write(tmp_path / "o")
    for name in ("generator.sha256", "train/noise-white/00000001.png"):
        (tmp_path / "o" / name).unlink()
        (tmp_path / "o" / name).mkdir()
        with pytest.raises(DataError, match=f"cannot write .*{name}: it is a folder"):
            write(tmp_path / "o")
        (tmp_path / "o" / name).rmdir()
        write(tmp_path / "o")


def test_what_cannot_be_leaves_nothing_behind(tmp_path):
    for bad in ({"n": 0}, {"n": True}, {"n": 10**9}, {"n": 2.0}, {"size": 4}, {"form": "zip"}):
        with pytest.raises(ParameterError):
            write(tmp_path / "o", **bad)
    with pytest.raises(ParameterError):
        export.write(sl.generator("noise-white"), 3, 8, 0, tmp_path / "o", device="hpu")
    missing = {"name": "feature_vis-dead_leaves", "encoder": str(tmp_path / "none.safetensors")}
    for form in FORMS:
        with pytest.raises(ParameterError, match="no such file"):
            write(tmp_path / "o", form=form, **missing)  # found out when the first is painted
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["fractals-fractaldb", "programs"])
def test_labels_are_kept(name, tmp_path):
    options = {"programs": 3} if name == "programs" else {"categories": 3, "points": 4000}
    g = sl.generator(name, **options)
    want = g.labels(torch.arange(7)).tolist()
    write(tmp_path / "i", n=7, name=name, **options)
    found = torchvision.datasets.ImageFolder(str(tmp_path / "i" / "train"))
    by_picture = {int(path.rsplit("/", 1)[1][:8]): label for path, label in found.samples}
    assert [by_picture[i] for i in range(7)] == want and len(found.classes) == 3
    write(tmp_path / "w", n=7, form="webdataset", name=name, **options)
    shard = str(tmp_path / "w" / "shard-00000.tar")
    samples = list(webdataset.WebDataset(shard, shardshuffle=False).decode("rgb8"))
    assert [sample["cls"] for sample in samples] == want
    assert [sample["__key__"] for sample in samples] == [f"{i:08d}" for i in range(7)]


@pytest.mark.parametrize("form", FORMS)
def test_the_bar_moves_with_each_picture(form, tmp_path, monkeypatch):
    steps = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, n=1):
            steps.append(n)

    monkeypatch.setattr(export.progress, "bar", lambda *_: Bar())
    write(tmp_path / "o", form=form)
    assert steps == [1] * 5
    write(tmp_path / "o", form=form)
    assert sum(steps) == 10


def test_the_checksums_are_those_of_the_files_and_the_card_has_theirs(tmp_path):
    write(tmp_path / "o")
    command = ["sha256sum", "-c", "generator.sha256"]
    found = subprocess.run(command, cwd=tmp_path / "o", check=True, capture_output=True)
    assert len(found.stdout.splitlines()) == 5
    checksum = export.files.sha256(tmp_path / "o" / "generator.sha256")
    assert f"`{checksum}`" in (tmp_path / "o" / "README.md").read_text()


def test_the_card_is_markdown_and_no_line_of_it_is_indented_into_code(tmp_path):
    write(tmp_path / "o", n=2, name="mixed", parts=["noise-white", "noise-perlin"])
    text = (tmp_path / "o" / "README.md").read_text()
    assert "convex: their weighted sum" in text and not re.search(r"^ +\S", text, re.M)
    assert "--device" not in text
    on_gpu = export._Set(light("noise-white"), 2, 8, 0, tmp_path / "g", FORMS[0], "cuda")
    assert "--device cuda" in card.markdown(on_gpu.generator, on_gpu.described, "", "sums")


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(min_size=1, max_size=50).filter(lambda text: text.strip() and "\0" not in text)
VALUES = st.none() | st.booleans() | NUMBERS | WORDS
TABLES = st.lists(VALUES, max_size=3) | st.dictionaries(st.text(), VALUES, max_size=3)


@settings(max_examples=60, deadline=None)
@given(VALUES | TABLES)
def test_the_cards_options_are_read_as_they_are(value):
    word = f"x={card._word(value)}"
    assert shlex.split(shlex.quote(word)) == [word] and "\n" not in word
    name, read = option(word)
    assert (name, read, type(read)) == ("x", value, type(value))


@pytest.mark.parametrize("place", ["train", "train/noise-white"])
@pytest.mark.parametrize("kind", ["a file", "a link", "a dangling link"])
def test_where_pictures_go_there_must_be_a_folder_and_nothing_is_begun(place, kind, tmp_path):
    """Not another's folder behind a link, nor an error after the label is written."""
    path = tmp_path / "o" / place
    path.parent.mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    if kind == "a file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path / ("mine" if kind == "a link" else "nowhere"))
    with pytest.raises(ParameterError, match=f"{place} is "):
        write(tmp_path / "o")
    assert not list((tmp_path / "o").glob("generator*")) and not list((tmp_path / "mine").iterdir())


def test_a_linked_class_folder_of_others_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "mine" / "x.png")
    (tmp_path / "o" / "train").mkdir(parents=True)
    (tmp_path / "o" / "train" / "cats").symlink_to(tmp_path / "mine")
    with pytest.raises(ParameterError, match="cats is there"):
        write(tmp_path / "o")


def test_hidden_files_of_others_are_not_swept(tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / ".mine.tmp~").write_text("mine")
    write(tmp_path / "o")
    assert (tmp_path / "o" / ".mine.tmp~").read_text() == "mine"


def test_maps_beside_images_are_not_trained_on(tmp_path):
    export.write(sl.generator("dead_leaves-squares"), 2, 16, 0, tmp_path, labels=["edges"])
    with pytest.raises(DataError, match=r"maps beside its images, .*; give '.*train'"):
        sl.data.source("folder", path=str(tmp_path))
    assert sl.data.source("folder", path=str(tmp_path / "train")).number() == 2
