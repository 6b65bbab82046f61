"""Profiles: strict settings, and which of them are the study's own."""

import dataclasses

import pytest

from synthlearn import study
from synthlearn.core import files
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.study import store
from synthlearn.study.records import Run


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        (
            "smoke",
            {"epoch": 5},
            r"unknown parameter 'epoch' \(= 5\): did you mean 'epochs'\? "
            r"allowed are profile, n_images",
        ),
        ("smoke", {"epochs": "1e3"}, r"epochs = '1e3': must be a whole number, not str"),
        ("smoke", {"epochs": 2.5}, r"epochs = 2.5: must be a whole number, not float"),
        ("smoke", {"epochs": True}, r"epochs = True: must be a whole number, not bool"),
        ("smoke", {"epochs": -3}, r"epochs = -3: must lie between 1 and"),
        ("smoke", {"n_images": 0}, r"n_images = 0: must lie between 2 and"),
        ("smoke", {"lr": float("nan")}, r"lr = nan: must lie between"),
        ("smoke", {"crop": 64}, r"crop = 64: larger than the images \(image_size = 48\)"),
        ("smoke", {"lr": 10**400}, r"lr = 1000.*: must lie between 1e-09 and 100"),
        ("smoke", {"width": float("inf")}, r"width = inf: must lie between"),
        ("smoke", {"image_size": 10**6}, r"image_size = 1000000: must lie between 32 and 1,024"),
        ("smoke", {"data": ""}, r"data = '': must not be empty"),
        ("smoke", {"name": 1}, r"unknown parameter 'name' \(= 1\)"),
        ("smoke", {"device": "meta"}, r"device = 'meta': not on this machine"),
        ("smoke", {"device": "cpu:5"}, r"device = 'cpu:5': not on this machine"),
        (["smoke"], {}, r"profile = \['smoke'\]: must be one of"),
        ("smoke", {"device": "cuda:9"}, r"device = 'cuda:9': not on this machine"),
        ("smoke", {"schedule": "cosine"}, r"schedule = 'cosine': must be one of onecycle, step"),
        ("tiny", {}, r"profile = 'tiny': must be one of smoke, cpu, gpu, paper"),
    ],
)
def test_impossible_settings_are_named(name, overrides, message):
    with pytest.raises((ParameterError, DataError), match=message):
        study.resolve(name, **overrides)


def test_only_what_probes_asks_for_the_probes_data():
    assert study.resolve("smoke", data="cifar11").data == "cifar11"
    with pytest.raises(DataError, match="data set 'cifar11' is not here"):
        study.with_data("smoke", data="cifar11")
    with pytest.raises(ParameterError, match="epochs = 0"):
        study.with_data("smoke", epochs=0)
    assert study.with_data("smoke", epochs=3) == study.resolve("smoke", epochs=3)


def test_only_the_studys_own_profiles_are_committed(runs):
    cpu, smoke = study.resolve("cpu"), study.resolve("smoke")
    assert store.folder(cpu, Run) == files.root() / "results" / "records" / "cpu"
    assert store.folder(dataclasses.replace(cpu, epochs=3), Run) == runs / "records" / "cpu"
    assert store.folder(smoke, Run) == runs / "records" / "smoke"
