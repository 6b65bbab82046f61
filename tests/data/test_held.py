"""A source in others' hands: what is none is refused, and any can be pickled after use."""

import copy
import pickle

import pytest
import torch

import synthlearn as sl
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.data import held

# one whose painter keeps a lock and a cache, and a mixture that has such a part
KEEPS = {
    "fractals-sigma": {},
    "mixed": {"parts": ["fractals-sigma", "noise-white"]},
    "formula-rcdb": {"categories": 3},
}


@pytest.mark.parametrize("name", KEEPS)
def test_a_used_source_travels_as_what_it_is_made_of(name):
    fresh = sl.data.Images(sl.generator(name, **KEEPS[name]), 4, 16)
    light = len(pickle.dumps(fresh))
    image, label = fresh[3]
    for again in (pickle.loads(pickle.dumps(fresh)), copy.deepcopy(fresh)):
        assert again.source is not fresh.source and again.source.options == fresh.source.options
        assert torch.equal(again[3][0], image) and again[3][1] == label
    assert len(pickle.dumps(fresh)) == light  # nothing that was kept for speed goes along


@pytest.mark.parametrize("holder", [sl.data.Images, sl.data.Stream, sl.data.DeviceLoader])
@pytest.mark.parametrize("wrong", [None, 5, b"noise-white", ["noise-white"], sl.generator])
def test_what_is_no_source_is_named(holder, wrong):
    sizes = {sl.data.Images: {"n": 4}, sl.data.Stream: {}, sl.data.DeviceLoader: {"n": 4}}
    with pytest.raises(ParameterError, match=r"source = .*: must be a name .*, or a source"):
        holder(wrong, size=16, **sizes[holder])


def test_no_more_images_are_asked_of_a_source_than_it_has():
    digits = sl.data.source("real", data="digits")
    assert held.checked_number("n", 1000, digits) == 1000
    calls = {
        "n": (
            lambda n: sl.data.Images(digits, n, 8),
            lambda n: sl.data.Stream(digits, 8, n=n),
            lambda n: sl.data.DeviceLoader(digits, n, 8, batch_size=4, device="cpu"),
        ),
        "images": (lambda n: sl.data.MixIn(digits, images=n),),
    }
    for name, calls_ in calls.items():
        for call in calls_:
            call(1000)
            with pytest.raises(DataError, match=f"{name} = 1001: .* 1000 images; lower {name}"):
                call(1001)
