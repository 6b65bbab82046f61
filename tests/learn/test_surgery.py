"""Surgery on weights keeps what its name says and nothing else; mimetic attention is near ± the
identity."""

import math

import pytest
import torch

from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.learn import surgery
from synthlearn.learn.encoders import Encoder, SmallAlexNet, ViT

KEY = rng.key("test", 0)


@pytest.fixture(scope="module")
def trained():
    """An encoder away from its start, whose parameters and batch-norm statistics all differ."""
    encoder = SmallAlexNet(1 / 16, 32, seed=3)
    with torch.no_grad():
        for number, p in enumerate([*encoder.parameters(), *encoder.buffers()]):
            if p.is_floating_point():
                p.add_(rng.uniform(rng.key("moved", number), tuple(p.shape)))
    return encoder.eval()


def weights(*shape):
    """Numbers of no symmetry: skewed, with a mean and a pattern."""
    return rng.uniform(rng.key("weights"), shape) ** 3 + torch.arange(shape[-1]) / 10


def cosine(a, b):
    a, b = ((x - x.mean()).flatten() for x in (a, b))
    return float(a @ b / a.norm() / b.norm())


def test_redrawn_weights_have_the_mean_and_spread_and_another_law():
    w = weights(100, 20, 3, 3)
    new = surgery.mean_and_spread(w, KEY)
    error = float(w.std()) / math.sqrt(w.numel())
    assert abs(float(new.mean() - w.mean())) < 4 * error
    assert float(new.std()) == pytest.approx(float(w.std()), rel=4 / math.sqrt(2 * w.numel()))
    assert w.min() >= 0 > new.min() and abs(cosine(w, new)) < 0.05


def test_one_number_is_redrawn_as_itself():
    assert float(surgery.mean_and_spread(torch.tensor([2.5]), KEY)) == 2.5


def test_shuffled_weights_are_the_same_numbers_elsewhere():
    w = weights(30, 20, 3, 3)
    new = surgery.shuffled(w, KEY)
    assert torch.equal(new.flatten().sort().values, w.flatten().sort().values)
    assert new.shape == w.shape and abs(cosine(w, new)) < 0.1


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (40, 20), (20, 40)])
def test_a_spectrum_keeps_singular_values_and_no_singular_vectors(shape):
    w = weights(*shape)
    new = surgery.spectrum(w, KEY)
    old, kept = (torch.linalg.svd(x.flatten(1), full_matrices=False) for x in (w, new))
    assert torch.allclose(old.S, kept.S, rtol=1e-4, atol=1e-4 * float(old.S[0]))
    assert abs(float(old.U[:, 0] @ kept.U[:, 0])) < 0.9
    assert abs(float(old.Vh[0] @ kept.Vh[0])) < 0.9


def test_random_singular_vectors_are_orthonormal_and_of_both_signs():
    q = surgery._orthonormal(rng.key("test", torch.arange(200))[7], 30, 10)
    assert torch.allclose(q.T @ q, torch.eye(10), atol=1e-5)
    first = [float(surgery._orthonormal(rng.key("sign", i), 4, 2)[0, 0]) for i in range(40)]
    assert 8 < sum(x > 0 for x in first) < 32


def test_a_vector_has_no_singular_vectors_and_is_shuffled():
    v = weights(50)
    assert torch.equal(surgery.spectrum(v, KEY), surgery.shuffled(v, KEY))


@pytest.mark.parametrize("name", surgery.STATISTICS)
def test_an_operation_moves_every_weight_and_leaves_the_encoder_and_its_counts(trained, name):
    before = {k: v.clone() for k, v in trained.state_dict().items()}
    new = surgery.operate(trained, surgery.STATISTICS[name], seed=5)
    assert all(torch.equal(before[k], v) for k, v in trained.state_dict().items())
    assert all(torch.equal(v, before[k]) for k, v in dict(new.named_buffers()).items())
    assert not any(torch.equal(v, before[k]) for k, v in new.named_parameters())
    again, other = (surgery.operate(trained, surgery.STATISTICS[name], s) for s in (5, 6))
    assert torch.equal(new.first_layer, again.first_layer)
    assert not torch.equal(new.first_layer, other.first_layer)


def test_layers_of_one_shape_are_shuffled_apart(trained):
    """Keys differ by layer: conv4's order is not conv3's."""
    twin = surgery.before_training(trained, 3)
    with torch.no_grad():
        twin.fc6[1].weight.copy_(weights(256))
        twin.fc7[1].weight.copy_(weights(256))
    new = surgery.operate(twin, surgery.shuffled, 0)
    assert not torch.equal(new.fc6[1].weight, new.fc7[1].weight)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_first_layers_are_the_trained_ones_and_the_rest_the_start_to_the_bit(trained, count):
    start = surgery.before_training(trained, 3)
    new = surgery.first_layers(trained, start, count).state_dict()
    for name, value in new.items():
        kept = name.startswith("conv") and int(name.split(".")[1]) < count
        assert torch.equal(value, (trained if kept else start).state_dict()[name]), name
    x = torch.rand(2, 3, 32, 32)
    tap = (f"conv{count}",)
    whole = surgery.first_layers(trained, start, count).eval().features(x, tap)[tap[0]]
    assert torch.equal(whole, trained.features(x, tap)[tap[0]])


def test_what_comes_before_training_is_the_encoder_that_a_run_begins_with(trained):
    start, built = surgery.before_training(trained, 3), SmallAlexNet(1 / 16, 32, seed=3)
    assert all(map(torch.equal, start.state_dict().values(), built.state_dict().values()))
    with pytest.raises(ParameterError, match="Encoder: is not trained here"):
        surgery.before_training(Encoder(), 0)


def test_arms_are_those_of_the_encoder(trained):
    names = [name for name, _ in surgery.arms(trained, 3)]
    assert names == [
        "random",
        "trained",
        *surgery.STATISTICS,
        "first 1",
        "first 2",
        "first 3",
    ]
    untrained = SmallAlexNet(1 / 16, 32, seed=3)
    assert [name for name, _ in surgery.arms(untrained, 3)] == ["random"]
    assert "trained" in dict(surgery.arms(untrained, 4))  # another seed's start is not its own


# ---- the ViT ----


@pytest.fixture(scope="module")
def vit():
    return ViT(32, seed=1)


def test_factors_give_back_their_matrix():
    left, right = surgery.factors(KEY, 64, 0.4, -0.4)
    assert torch.allclose(
        left @ right, 0.4 * rng.normal(KEY, (64, 64)) / 8 - 0.4 * torch.eye(64), atol=1e-5
    )
    assert torch.allclose(left.T @ left, right @ right.T, atol=1e-5)  # both carry √S


def test_mimetic_products_are_near_the_identity_and_its_negative(vit):
    new = surgery.mimetic(vit, seed=0)
    d, k = 192, 64
    for old, block in zip(vit.trunk.blocks, new.trunk.blocks, strict=True):
        q, key, v = block.attn.qkv.weight.detach().view(3, d, d)
        value_out = v.T @ block.attn.proj.weight.detach().T
        noise = value_out + 0.4 * torch.eye(d)
        assert float(noise.std()) == pytest.approx(0.4 / math.sqrt(d), rel=0.05)
        assert float(value_out.diagonal().mean()) == pytest.approx(-0.4, abs=0.02)
        for head in range(3):
            part = slice(head * k, (head + 1) * k)
            product = q[part].T @ key[part]
            off = product - product.diagonal().diag()
            assert float(product.diagonal().mean()) > max(0.15, 3 * float(off.std()))
            before = old.attn.qkv.weight.detach().view(3, d, d)
            start = before[0, part].T @ before[1, part]
            assert abs(float(start.diagonal().mean())) < 0.01


def test_only_attention_and_positions_are_mimetic(vit):
    new, changed = surgery.mimetic(vit, seed=0), set()
    for (name, old), value in zip(vit.state_dict().items(), new.state_dict().values(), strict=True):
        if not torch.equal(old, value):
            changed.add(name.split(".")[-2] if "blocks" in name else name)
    assert changed == {"qkv", "proj", "trunk.pos_embed"}
    assert [name for name, _ in surgery.arms(vit, 1)] == ["random", "mimetic"]


def test_neighbours_look_most_like_each_other_by_their_waves():
    places = surgery.waves(8, 192)
    near = places @ places.T
    assert torch.allclose(near.diagonal(), torch.full((64,), 96.0), atol=1e-3)
    middle = near[27].view(8, 8)  # row 3, column 3
    assert middle[3, 3] > middle[3, 4] > middle[3, 6] and middle[3, 3] > middle[4, 3] > middle[6, 3]
    assert torch.allclose(middle, middle.T, atol=1e-3)  # rows count as columns do
