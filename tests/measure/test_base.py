"""The contract of measurements: their names, and results as records hold them."""

import json

import pytest

from synthlearn.core import files
from synthlearn.core.errors import ParameterError
from synthlearn.measure.base import MEASUREMENTS, Accuracy, Measurement, encoder_of, measurement

WHERE = files.root() / "results" / "measurements"
RECORDS = sorted(WHERE.rglob("*.json"))
# a new one has none yet
RECORDED = [name for name in MEASUREMENTS if any(p.parent.name == name for p in RECORDS)]

NUMBERS = ("top1", "value", "psnr")  # of a result, whichever it has


def test_every_measurement_of_the_study_is_recorded():
    assert {"transfer", "layers", "few_shot", "properties"} <= {*RECORDED}


@pytest.mark.parametrize("name", RECORDED)
def test_a_result_comes_back_from_a_record_and_goes_into_it_the_same(name):
    contents = [json.loads(path.read_text()) for path in RECORDS if path.parent.name == name]
    for content in contents:
        for part, result in content["results"].items():
            made = MEASUREMENTS[name].part(part, result)
            assert made.to_json() == result
            assert made.is_accuracy == ("top1" in result)
            assert made.number == next(result[key] for key in NUMBERS if key in result)


@pytest.mark.parametrize("name", RECORDED)
def test_a_result_of_other_fields_is_refused(name):
    content = next(json.loads(p.read_text()) for p in RECORDS if p.parent.name == name)
    part, result = next(iter(content["results"].items()))
    lacking = {key: value for key, value in result.items() if key != "n"}
    for bad in ({**result, "other": 1}, lacking):
        with pytest.raises(TypeError):
            MEASUREMENTS[name].part(part, bad)


@pytest.mark.parametrize("name", RECORDED)
def test_a_spec_names_the_modules_that_older_records_name(name):
    content = next(json.loads(p.read_text()) for p in RECORDS if p.parent.name == name)
    assert list(MEASUREMENTS[name].modules) == content["spec"].get("modules", [])


def test_a_name_belongs_to_one_measurement():
    assert all(kind.name == name for name, kind in MEASUREMENTS.items())
    with pytest.raises(ParameterError, match="measurement 'layers': taken by"):

        @measurement("layers")
        class Other(Measurement):
            pass


def test_an_accuracys_note_is_written_where_there_is_one():
    plain = {"top1": 0.5, "n": 10, "low": 0.2, "high": 0.8}
    for content in (plain, {**plain, "note": "few"}):
        assert Accuracy.from_json(content).to_json() == content


def test_plain_pixels_have_no_encoder():
    class Pixels:
        def encoder(self):
            return None

    with pytest.raises(ParameterError, match="plain pixels have no encoder"):
        encoder_of(Pixels())
