"""Files: what is stored is whole or refused, what is written is whole or not there, and writers
wait for each other.
"""

import json
import multiprocessing
import os
import time

import pytest
import torch

from synthlearn.core import files
from synthlearn.core.errors import CheckpointError, DataError, ParameterError

ROWS, SIDE = 6, 4


def rows(start, number=2):
    return (torch.arange(number * SIDE) + 31 * start).to(torch.uint8).view(number, SIDE)


def grow(path, part=rows):
    files.grow_tensor(path, "x", (ROWS, SIDE), {"kind": "pool"}, part)


def flip(path, bit):
    """In place: the system may wait for the disk where a file is cut off and written anew."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def test_tensors_and_header_come_back(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {"w": torch.randn(3, 2), "n": torch.arange(5)}
    files.save_tensors(path, tensors, {"kind": "test", "sha256": "0" * 64})
    found, header = files.load_tensors(path)
    assert header == {"kind": "test", "sha256": "0" * 64}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    again = tmp_path / "b.safetensors"
    files.save_tensors(again, tensors, header)
    assert again.read_bytes() == path.read_bytes()  # a file is a function of what it holds


def test_every_flipped_bit_of_a_sealed_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    files.save_tensors(path, {"w": torch.randn(3, 2)}, {"kind": "test"})
    good = path.read_bytes()
    for bit in range(8 * len(good)):
        flip(path, bit)
        with pytest.raises(CheckpointError) as error:
            files.load_tensors(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
        flip(path, bit)
    for cut in reversed(range(len(good))):
        os.truncate(path, cut)
        with pytest.raises(CheckpointError):
            files.load_tensors(path)
    path.write_bytes(good + b"\0")
    with pytest.raises(CheckpointError):
        files.load_tensors(path)


def test_every_flipped_bit_of_a_mapped_tensor_is_refused(tmp_path):
    path = tmp_path / "pool"
    grow(path)
    good = path.read_bytes()
    whole = torch.cat([rows(start) for start in range(0, ROWS, 2)])
    assert torch.equal(files.map_tensor(path, "x"), whole)
    for bit in range(8 * len(good)):
        flip(path, bit)
        with pytest.raises(CheckpointError):
            files.map_tensor(path, "x")
        flip(path, bit)
    assert path.read_bytes() == good


def cut_off(path):
    def part(start):
        if start == 4:
            raise KeyboardInterrupt
        return rows(start)

    with pytest.raises(KeyboardInterrupt):
        grow(path, part)
    return path.with_name(path.name + ".partial")


def test_a_tensor_that_was_cut_off_goes_on_where_it_stopped(tmp_path):
    path, asked = tmp_path / "pool", []
    cut_off(path)

    def part(start):
        asked.append(start)
        return rows(start)

    grow(path, part)
    assert asked == [4]
    grow(tmp_path / "other")
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


def test_a_damaged_part_is_made_again(tmp_path):
    path = tmp_path / "pool"
    grow(tmp_path / "whole")
    partial = cut_off(path)
    left = partial.read_bytes()
    for bit in range(0, 8 * len(left), 7):
        partial.write_bytes(left)
        flip(partial, bit)
        grow(path)
        assert path.read_bytes() == (tmp_path / "whole").read_bytes()
        path.unlink()


def test_a_file_without_a_seal_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "old", {"synthlearn": json.dumps({"kind": "test"})})
    with pytest.raises(CheckpointError, match="has no checksum"):
        files.load_tensors(tmp_path / "old")
    save_file({"w": torch.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="no header of ours"):
        files.load_tensors(tmp_path / "foreign")


@pytest.mark.parametrize("header", ["[]", "null", '"a"', "1", "{"])
def test_a_header_that_is_no_object_is_refused(tmp_path, header):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "x", {"synthlearn": header})
    with pytest.raises(CheckpointError):
        files.load_tensors(tmp_path / "x")


@pytest.mark.parametrize("kind", ["folder", "link", "dangling", "pipe", "long", "null"])
def test_only_files_are_replaced(tmp_path, kind):
    path, aside = tmp_path / "out", tmp_path / "aside"
    aside.write_text("mine")
    if kind == "folder":
        path.mkdir()
    elif kind in ("link", "dangling"):
        path.symlink_to(aside if kind == "link" else tmp_path / "nothing")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = tmp_path / ("x" * 300 if kind == "long" else "a\0b")
    before = sorted(tmp_path.iterdir())
    for write in (
        files.check_target,
        lambda p: files.write_text(p, "other"),
        lambda p: files.save_tensors(p, {"w": torch.zeros(1)}, {}),
    ):
        with pytest.raises(DataError, match="cannot write"):
            write(path)
    assert sorted(tmp_path.iterdir()) == before and aside.read_text() == "mine"


def test_what_a_living_writer_writes_stays_and_what_a_killed_one_left_goes(tmp_path, fork):
    writing = multiprocessing.get_context("fork").Event()

    def write():
        with files.atomic(tmp_path / "a") as temporary:
            temporary.write_text("half")
            writing.set()
            time.sleep(60)

    process = fork(write)
    assert writing.wait(60)
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    files._swept.clear()
    files.write_text(tmp_path / "b", "whole")
    assert left[0].exists()
    process.kill()
    process.join()
    files._swept.clear()
    files.write_text(tmp_path / "b", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b"]


def _count(path, times):
    for _ in range(times):
        with files.locked(path):
            found = json.loads(path.read_text()) if path.exists() else 0
            time.sleep(0.001)
            files.write_json(path, found + 1)


def test_two_writers_lose_nothing_and_leave_no_lock(tmp_path):
    path = tmp_path / "count.json"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_count, args=(path, 40)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert json.loads(path.read_text()) == 120
    assert [found.name for found in tmp_path.iterdir()] == ["count.json"]


def test_a_lock_that_is_taken_can_be_refused_instead_of_waited_for(tmp_path):
    path = tmp_path / "index.json"
    with (
        files.locked(path),
        pytest.raises(DataError, match="another process is writing there"),
        files.locked(path, wait=False),
    ):
        pass
    with files.locked(path, wait=False):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, None])
def test_json_that_is_no_object_is_one_line(tmp_path, content):
    path = tmp_path / "x.json"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="mend it") as error:
        files.read_json(path, CheckpointError, "mend it")
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_empty_variables_are_as_if_they_were_not_set_and_wrong_ones_are_named(
    monkeypatch, tmp_path
):
    monkeypatch.delenv("SYNTHLEARN_ROOT", raising=False)
    monkeypatch.delenv("SYNTHLEARN_RUNS", raising=False)
    usual = files.root(), files.runs()
    monkeypatch.setenv("SYNTHLEARN_ROOT", "")
    monkeypatch.setenv("SYNTHLEARN_RUNS", "")
    assert (files.root(), files.runs()) == usual
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path / "nothing"))
    with pytest.raises(ParameterError, match="SYNTHLEARN_ROOT"):
        files.root()
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    with pytest.raises(DataError, match="needs the project's checkout"):
        files.read_workflow("study.toml")


def test_disk_use_survives_links_that_lead_nowhere(runs):
    (runs / "pools").mkdir(parents=True)
    (runs / "pools" / "a").write_bytes(b"12345")
    (runs / "pools" / "b").symlink_to(runs / "nothing")
    assert files.disk_use() == {"pools": 5}


def test_json_with_a_digest_comes_back_without_it_and_a_changed_number_is_an_error(tmp_path):
    path = tmp_path / "a.json"
    files.write_with_digest(path, {"rows": [{"value": 1.5}], "digest": "of another content"})
    assert files.read_with_digest(path) == {"rows": [{"value": 1.5}]}
    path.write_text(path.read_text().replace("1.5", "1.25"))
    with pytest.raises(DataError, match="damaged or changed by hand"):
        files.read_with_digest(path)
