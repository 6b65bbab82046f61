"""What readers take away: all records as files, which say what the records say."""

import csv
import json

import pytest

from synthlearn.core import files
from synthlearn.site import takeaway
from synthlearn.study import flat

RESULTS = files.root() / "results"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("takeaway")
    takeaway.write(where)
    return where


@pytest.fixture(scope="module")
def lines(folder):
    with (folder / takeaway.CSV).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_committed_result_is_one_line_and_every_line_a_committed_result(lines):
    folders = ("records", "twins", "measurements", "search")
    paths = [path for name in folders for path in (RESULTS / name).rglob("*.json")]
    committed = {
        (str(path.relative_to(RESULTS)), probe)
        for path in paths
        for probe in json.loads(path.read_text(encoding="utf-8"))["results"]
    }
    written = [(line["file"], line["probe"]) for line in lines]
    assert len(written) == len(set(written)) and set(written) == committed


def test_a_line_says_what_its_record_says(lines):
    for line in lines[::7]:
        record = json.loads((RESULTS / line["file"]).read_text(encoding="utf-8"))
        result = record["results"][line["probe"]]
        for name in ("top1", "low", "high", "value", "real", "n"):
            assert line[name] == ("" if name not in result else str(result[name])), line["file"]
        assert int(line["seed"]) == record["spec"].get("seed", 0)
        assert (line["row"], line["id"]) == (record["row"], record["id"])
        assert line["data"] == record["spec"]["data"]["name"]
        assert float(line["wall_seconds"]) == record["cost"]["wall_seconds"]
        if line["kind"] in ("run", "twin"):
            last = record["curves"]["step"][-1] if record["curves"] else 0
            assert int(line["updates"]) == last
        for name in ("commit", "code", "date", "device"):
            assert line[name] == record["provenance"][name]


def test_both_files_hold_the_same_table_with_the_meaning_of_every_column(folder, lines):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(folder / takeaway.PARQUET)
    assert table.to_pydict() == flat.table()
    for column in flat.COLUMNS:
        assert table.schema.field(column.name).metadata[b"meaning"] == column.meaning.encode()
        assert [line[column.name] for line in lines] == [
            "" if value is None else str(value) for value in table[column.name].to_pylist()
        ]
