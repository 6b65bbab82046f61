"""The text tower, and the loss between images and texts, against closed forms, loops and what a
causal network must not know."""

import math

import pytest
import torch
from torch.nn import functional

from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.learn.losses import image_text
from synthlearn.learn.text import TextTower, tokenise

TEXTS = ("a dark red cat", "a dog", "a dark red dog of look 2")


def unit(seed, n, d=8):
    return functional.normalize(rng.normal(rng.key("unit", seed), (n, d)).double(), dim=1)


def test_words_have_numbers_and_the_end_is_padded():
    tokens, last, words = tokenise(TEXTS)
    assert words == tuple(sorted(words)) and len(words) == 8
    assert tokens.shape == (3, 7) and last.tolist() == [3, 1, 6]
    assert [words[i - 1] for i in tokens[1, :2]] == ["a", "dog"] and tokens[1, 2:].tolist() == [
        0
    ] * 5
    for bad in ((), ("a", "")):
        with pytest.raises(ParameterError, match="needs words"):
            tokenise(bad)


def test_a_captions_vector_depends_on_its_own_words_alone():
    tower = TextTower(TEXTS, 16, seed=3)
    both = tower(torch.tensor([0, 1, 2, 1]))
    assert both.shape == (4, 16) and torch.equal(both[1], both[3])
    assert torch.allclose(tower(torch.tensor([1]))[0], both[1], atol=1e-6)  # alone or in a batch
    with torch.no_grad():  # what comes after the last word is not seen
        tower.tokens[1, 2:] = 5
    assert torch.allclose(tower(torch.tensor([1]))[0], both[1], atol=1e-6)
    with torch.no_grad():
        tower.tokens[1, 0] = 5
    assert not torch.allclose(tower(torch.tensor([1]))[0], both[1], atol=1e-3)
    assert torch.equal(
        TextTower(TEXTS, 16, seed=3).words.weight, TextTower(TEXTS, 16, seed=3).words.weight
    )


def test_the_towers_start_has_clips_scales():
    tower = TextTower(tuple(f"word{i}" for i in range(200)), 64)
    assert float(tower.words.weight.std()) == pytest.approx(0.02, rel=0.02)
    assert float(tower.out.weight.std()) == pytest.approx(128**-0.5, rel=0.05)
    assert float(tower.blocks[0].out.weight.std()) == pytest.approx((2 * 2 * 128) ** -0.5, rel=0.05)
    assert float(tower.blocks[1].wide.weight.std()) == pytest.approx((2 * 128) ** -0.5, rel=0.05)
    assert all(
        bool((m.bias == 0).all()) for b in tower.blocks for m in (b.qkv, b.out, b.wide, b.narrow)
    )


def test_image_text_equals_loops_and_clips_with_one_image_each():
    u, t, ids, scale = unit(0, 6), unit(1, 3), torch.tensor([0, 1, 2, 0, 1, 2]), 3.0
    images, texts = image_text(u, t, ids, torch.arange(3), scale)
    logits = [[scale * float(u[i] @ t[k]) for k in range(3)] for i in range(6)]
    by_image = [math.log(sum(map(math.exp, logits[i]))) - logits[i][ids[i]] for i in range(6)]
    by_text = []
    for k in range(3):
        total = math.log(sum(math.exp(logits[i][k]) for i in range(6)))
        by_text.append(sum(total - logits[i][k] for i in range(6) if ids[i] == k) / 2)
    assert float(images) == pytest.approx(sum(by_image) / 6, abs=1e-12) and float(
        texts
    ) == pytest.approx(sum(by_text) / 3, abs=1e-12)
    x, y = image_text(u[:3], t, torch.arange(3), torch.arange(3), scale)
    assert float(x) == pytest.approx(
        float(functional.cross_entropy(scale * u[:3] @ t.T, torch.arange(3))), abs=1e-12
    )
    assert float(y) == pytest.approx(
        float(functional.cross_entropy(scale * t @ u[:3].T, torch.arange(3))), abs=1e-12
    )


@pytest.mark.parametrize("m", [1, 3])
def test_image_text_has_its_floors(m):
    e = torch.eye(5, dtype=torch.float64)
    images, texts = image_text(e.repeat(m, 1), e, torch.arange(5).repeat(m), torch.arange(5), 200.0)
    assert float(images) == pytest.approx(0, abs=1e-9) and float(texts) == pytest.approx(
        math.log(m), abs=1e-9
    )
    same = torch.ones(5 * m, 4)
    images, texts = image_text(
        same, torch.ones(5, 4), torch.arange(5).repeat(m), torch.arange(5), 1.0
    )
    assert float(images) == pytest.approx(math.log(5), rel=1e-6) and float(texts) == pytest.approx(
        math.log(5 * m), rel=1e-6
    )


def test_image_text_does_not_depend_on_order_length_or_names():
    u, t, ids, names = unit(2, 8), unit(3, 4), torch.arange(4).repeat(2), torch.arange(4)
    expected = torch.stack(image_text(u, t, ids, names, 5.0))
    order, turn = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4]), torch.tensor([2, 0, 3, 1])
    assert torch.allclose(
        torch.stack(
            image_text(u[order] * 7, t[turn] * 0.1, ids[order] * 10 + 3, names[turn] * 10 + 3, 5.0)
        ),
        expected,
        atol=1e-12,
    )


def test_image_text_names_what_is_wrong():
    u, t = unit(4, 4), unit(5, 2)
    for images, texts, message in (
        (torch.arange(3), torch.arange(2), "must agree"),
        (torch.tensor([0, 1, 2, 1]), torch.arange(2), "exactly one of the texts"),
        (torch.tensor([0, 0, 0, 0]), torch.arange(2), "every text an image"),
        (torch.tensor([0, 0, 0, 0]), torch.tensor([0, 0]), "exactly one of the texts"),
    ):
        with pytest.raises(ParameterError, match=message):
            image_text(u, t, images, texts, 1.0)
