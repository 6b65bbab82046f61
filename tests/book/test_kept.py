"""Samples that chapters show without the model that drew them."""

import pytest

from synthlearn.book.pages import kept
from synthlearn.core import files
from synthlearn.core.errors import CheckpointError
from synthlearn.text2image import Learned

TINY = {
    "data": "digits",
    "per_class": 6,
    "number": 50,
    "base": 8,
    "levels": 2,
    "blocks": 1,
    "updates": 2,
    "batch": 8,
    "steps": 2,
}


@pytest.fixture
def model(runs, tmp_path, monkeypatch):
    """A model that hardly learned, its samples kept, its weights lost."""
    source = Learned(**TINY)
    source.prepare("cpu")
    weights = source.path().read_bytes()
    monkeypatch.setattr(kept, "FILE", str(tmp_path / "kept.safetensors"))
    kept.write(source)
    source.path().unlink()
    yield source, weights
    kept._load.cache_clear()


def asked(source, w):
    captions, n = kept.FURTHER.get(w, ((), 0))
    places = kept.places(source, captions)
    return [kept.evenly(source), *(kept.of_caption(source, c, n) for c in places)]


def test_what_is_kept_is_what_the_model_draws_and_needs_no_model(model):
    source, weights = model
    guided = [Learned(**{**TINY, "w": w}) for w in kept.ALONG]
    shown = [
        kept.sample(each, indices, 48) for each in guided for indices in asked(each, each.options.w)
    ]
    took = kept.training(source)
    assert not source.path().exists()
    source.path().write_bytes(weights)
    kept._load.cache_clear()
    files.root().joinpath(kept.FILE).unlink()
    drawn = [
        kept.sample(each, indices, 48) for each in guided for indices in asked(each, each.options.w)
    ]
    assert len(shown) == len(kept.ALONG) + 3 + 4
    for a, b in zip(shown, drawn, strict=True):  # the batch is another
        assert int((a.int() - b.int()).abs().max()) <= 1
    assert took == kept.training(source) and took["seen"] == 2 * source.options.batch


def test_samples_of_another_model_or_index_are_drawn(model):
    source, weights = model
    source.path().write_bytes(weights)
    assert kept.has(source) and kept.has(Learned(**{**TINY, "w": 3.0}))
    assert not kept.has(Learned(**{**TINY, "updates": 3}))
    other = kept.evenly(source) + 1
    assert (kept.sample(source, other, 32) == source.sample(other, 32)).all()


def test_a_damaged_file_is_refused(model):
    source, _ = model
    path = files.root() / kept.FILE
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    kept._load.cache_clear()
    with pytest.raises(CheckpointError):
        kept.has(source)
