"""Records: whole, in their place, and what a replay confirms of them."""

import json
import multiprocessing
import random
import shutil

import numpy as np
import pytest

from synthlearn.core import files
from synthlearn.core.errors import DataError
from synthlearn.study import records, store
from synthlearn.study.records import Record
from synthlearn.study.rows import all_rows, get_row


def test_a_flipped_bit_of_a_record_is_refused_or_changes_nothing(tmp_path):
    """Nothing that a file says is believed but as a whole: spec, results, outcomes of images,
    curves, provenance."""
    where = files.root() / "results"
    kinds = [where / "records" / "cpu" / "real-s0.json", next((where / "twins" / "cpu").iterdir())]
    kinds += [
        next(where.glob("measurements/cpu/transfer/*.json")),
        next((where / "search").rglob("*.json")),
    ]
    numbers = random.Random(0)
    for kind in kinds:
        path = tmp_path / kind.relative_to(where)
        path.parent.mkdir(parents=True)
        whole, good = records.read(kind, Record), kind.read_bytes()
        for _ in range(75):
            bit, content = numbers.randrange(8 * len(good)), bytearray(good)
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
            try:
                assert records.read(path, Record).to_json() == whole.to_json()  # 1e-05 is 1E-05
            except DataError as error:
                assert "\n" not in str(error) and str(path) in str(error)
        for cut in (0, 1, len(good) // 2, len(good) - 3):
            path.write_bytes(good[:cut])
            with pytest.raises(DataError):
                records.read(path, Record)


def test_a_record_that_was_changed_by_hand_is_refused(tmp_path):
    record = records.read(files.root() / "results/records/cpu/real-s0.json", Record)
    path = tmp_path / "cpu" / "real-s0.json"
    records.write(path, record)
    assert records.read(path, Record).to_json() == record.to_json()
    content = json.loads(path.read_text())
    content["results"]["fc6_linear"]["top1"] += 0.01
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="changed by hand"):
        records.read(path, Record)
    del content["digest"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="changed by hand"):
        records.read(path, Record)


def test_a_record_of_another_place_is_refused(tmp_path, monkeypatch):
    """A record that was copied is whole, but no run of the row, seed, profile or measurement that
    its path names."""
    results = files.root() / "results"
    good = {
        "records/cpu/real-s0.json": (
            "records/cpu/real-s1.json",
            "records/cpu/random-s0.json",
            "records/gpu/real-s0.json",
            "twins/cpu/real-s00.json",
        ),
        "measurements/cpu/layers/real-s0.json": (
            "measurements/cpu/few_shot/real-s0.json",
            "measurements/gpu/layers/real-s0.json",
            "records/cpu/real-s0.json",
        ),
    }
    for name, places in good.items():
        for place in places:
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(results / name, tmp_path / place)
            with pytest.raises(
                DataError, match=f"holds the record of .*{name.split('/')[-1][:-5]}"
            ):
                records.read(tmp_path / place, Record)


def test_a_record_is_no_twin_of_itself(tmp_path, monkeypatch):
    for kind in ("records", "twins"):
        path = tmp_path / "results" / kind / "cpu" / "real-s0.json"
        path.parent.mkdir(parents=True)
        shutil.copy(files.root() / "results" / "records" / "cpu" / "real-s0.json", path)
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    with pytest.raises(DataError, match="is the record itself"):
        store.device_pairs("cpu")


def test_two_processes_that_confirm_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_confirmations", lambda: tmp_path / "confirmed.json")

    def confirm(first):
        for number in range(first, first + 40):
            store.confirm(f"{number:04d}", "c")

    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=confirm, args=(first,)) for first in (0, 40)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(store.confirmed()) == 80
    for content in ("[]", '{"a": 1}', '{"a": [1]}', "", "\xff"):
        (tmp_path / "confirmed.json").write_bytes(content.encode("latin-1"))
        with pytest.raises(DataError, match="restore it from git"):
            store.confirmed()


def test_packed_outcomes_come_back():
    flags = np.random.default_rng(0).uniform(size=1003) < 0.4
    assert np.array_equal(records.unpack(records.pack(flags), 1003), flags)


def test_committed_records_are_whole():
    for path in (files.root() / "results" / "records").rglob("*.json"):
        record = records.read(path, Record)
        assert path.stem == record.name and path.parent.name == record.profile
        assert record.row in all_rows()


def test_a_twin_differs_from_its_record_in_the_device_alone():
    pairs = store.device_pairs()
    assert len(pairs) > 40
    for first, twin in pairs:
        a, b = (json.loads(r.spec.text) for r in (first, twin))
        assert {a["numerics"].pop("device"), b["numerics"].pop("device")} == {"cpu", "cuda"}
        if get_row(
            first.row
        ).needs:  # the encoder that it looks into was trained on the same device
            assert a["source"]["options"].pop("encoder") != b["source"]["options"].pop("encoder")
        assert a == b, first.row
