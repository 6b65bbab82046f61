"""The contract of generators, over the whole registry."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import synthlearn as sl
from synthlearn.errors import ParameterError
from synthlearn.generators import base

NAMES = sl.generators.names()
LIGHT = {"points": 4000}  # fractals with fewer points: the contract is the same


def light(name):
    return sl.generator(name, **{k: v for k, v in LIGHT.items() if k in base.default_options(name)})


def test_the_first_issue_s_names_are_there():
    assert {"dead_leaves-squares", "dead_leaves-oriented", "dead_leaves-mixed", "fractals-fractaldb", "fractals-sigma", "noise-white"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [32, 48, 128])
def test_pictures_are_uint8_of_the_asked_size(name, size):
    x = light(name).sample([3, 0], size)
    assert x.shape == (2, 3, size, size) and x.dtype == torch.uint8
    assert float(x.float().std()) > 1  # not constant


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5, deadline=None)
@given(indices=st.lists(st.integers(0, 10_000), min_size=1, max_size=5), seed=st.integers(0, 5))
def test_a_picture_does_not_depend_on_its_batch(name, indices, seed):
    g = light(name)
    together = g.sample(indices, 32, seed)
    for i, picture in zip(indices, together, strict=True):
        assert torch.equal(light(name).sample([i], 32, seed)[0], picture)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_depend_on_index_and_seed(name):
    g = light(name)
    x = g.sample(range(6), 32)
    assert len({p.numpy().tobytes() for p in x}) == 6
    assert not torch.equal(g.sample(range(6), 32, seed=1), x)


@pytest.mark.parametrize("name", NAMES)
def test_chunks_do_not_change_pictures(name, monkeypatch):
    g = light(name)
    whole = g.sample(range(7), 32)
    monkeypatch.setattr(type(g), "chunk", lambda self, canvas, device: 2)
    assert torch.equal(light(name).sample(range(7), 32), whole)


@pytest.mark.parametrize("name", NAMES)
def test_threads_do_not_change_pictures(name, monkeypatch):
    alone = light(name).sample(range(9), 32)
    g = light(name)
    monkeypatch.setattr(type(g), "chunk", lambda self, canvas, device: 2)
    torch.set_num_threads(3)
    try:
        assert torch.equal(g.sample(range(9), 32), alone)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", NAMES)
def test_gpu_gives_the_same_pictures_up_to_rounding(name):
    a, b = light(name).sample(range(8), 64), light(name).sample(range(8), 64, device="cuda").cpu()
    assert float((a.int() - b.int()).abs().float().mean()) < 0.5  # an orbit's last bits move single points to the next pixel


@pytest.mark.parametrize("name", NAMES)
def test_spec_names_everything_that_decides_a_picture(name):
    g = light(name)
    assert g.spec() == {"generator": name, "options": dataclasses.asdict(g.options), "revision": g.revision}
    with pytest.raises(dataclasses.FrozenInstanceError):
        g.options.__class__.__setattr__(g.options, next(iter(dataclasses.asdict(g.options)), "x"), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sl.generator("dead-leaves"), r"unknown generator 'dead-leaves': did you mean 'dead_leaves-"),
        (lambda: sl.generator("dead_leaves-mixed", colour=1), r"unknown option 'colour' of generator 'dead_leaves-mixed': allowed are shape, law"),
        (lambda: sl.generator("dead_leaves-mixed", shape="hexagon"), r"option shape = 'hexagon': must be one of 'circle'"),
        (lambda: sl.generator("fractals-sigma", points="many"), r"option points = 'many': must be of type int"),
        (lambda: sl.generator("fractals-sigma", points=3), r"option points = 3: must be at least 16"),
        (lambda: sl.generator("noise-white").sample([0], size=4), r"size = 4: must be a whole number from 8 to 1024"),
        (lambda: sl.generator("noise-white").sample([-1]), r"index -1: indices must be 0 or more"),
        (lambda: sl.generator("noise-white").sample([0], device="cuda:77"), r"device = 'cuda:77': not on this machine; present: cpu"),
        (lambda: sl.generator("noise-white").sample([0], device="gpu"), r"device = 'gpu': not on this machine"),
    ],
)
def test_bad_input_gets_one_error_that_says_what_is_allowed(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_no_index_gives_an_empty_batch():
    assert sl.generator("noise-white").sample([], 16).shape == (0, 3, 16, 16)
