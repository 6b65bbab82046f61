"""The multi-positive loss against every exact property that it has, in double precision."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.learn.losses import multi_positive, multi_positive_floor, nt_xent, sup_con


def rows(seed, n, d, scale=1.0):
    return rng.normal(rng.key("rows", seed), (n, d)).double() * scale


def loop(z, ids, temperature):
    z = normalize(z, dim=1).tolist()
    total = 0.0
    for i, a in enumerate(z):
        logits = {
            j: sum(x * y for x, y in zip(a, b, strict=True)) / temperature
            for j, b in enumerate(z)
            if j != i
        }
        log_sum = math.log(sum(math.exp(s) for s in logits.values()))
        positives = [j for j in logits if ids[j] == ids[i]]
        total += sum(log_sum - logits[j] for j in positives) / max(1, len(positives))
    return total / len(z)


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_a_loop_for_any_captions(seed):
    n = 5 + seed
    ids = rng.integers(rng.key("ids", seed), 0, 3, (n,)).flatten()
    z = rows(seed, n, 4)
    assert float(multi_positive(z, ids, 0.3)) == pytest.approx(
        loop(z, ids.tolist(), 0.3), abs=1e-12
    )


def test_two_images_per_caption_are_simclr_and_any_number_is_supcon():
    x, y = normalize(rows(0, 6, 5), dim=1), normalize(rows(1, 6, 5), dim=1)
    ids = torch.arange(6)
    assert float(multi_positive(torch.cat((x, y)).float(), ids.repeat(2), 0.2)) == pytest.approx(
        float(nt_xent(x, y, 0.2)), abs=1e-6
    )
    z, ids = normalize(rows(2, 12, 5), dim=1), torch.arange(12) % 3
    out, inside = (float(sup_con(z, ids, 0.1, mean)) for mean in ("out", "in"))
    value = float(multi_positive(z.float(), ids, 0.1))
    assert value == pytest.approx(out, rel=1e-5) and inside <= value


@pytest.mark.parametrize(
    ("n", "m", "temperature", "least"),
    [(6, 4, 0.5, 1.571603), (50, 6, 0.1, 1.611612), (4, 2, 0.1, None), (3, 5, 1.0, None)],
)
def test_captions_on_a_simplex_reach_the_floor_and_nothing_is_below_it(n, m, temperature, least):
    corners = torch.eye(n, dtype=torch.float64) - 1 / n
    ids = torch.arange(n).repeat(m)
    value = float(multi_positive(corners[ids], ids, temperature))
    assert value == pytest.approx(multi_positive_floor(n, m, temperature), abs=1e-12)
    if least is not None:
        assert value == pytest.approx(least, abs=1e-6)
    assert value >= math.log(m - 1) if m > 1 else True
    for seed in range(5):
        assert (
            float(multi_positive(corners[ids] + rows(seed, n * m, n, 0.1), ids, temperature))
            > value
        )


def test_orthogonal_captions_have_their_closed_form():
    n, m, t = 4, 3, 0.25
    ids = torch.arange(n).repeat(m)
    assert float(multi_positive(torch.eye(n, dtype=torch.float64)[ids], ids, t)) == pytest.approx(
        math.log(m - 1 + m * (n - 1) * math.exp(-1 / t)), abs=1e-12
    )


def test_equal_rows_give_log_of_the_others_whatever_the_captions():
    z = rows(0, 1, 6).repeat(9, 1)
    for ids in (torch.arange(9) % 3, torch.arange(9) // 3, torch.zeros(9, dtype=torch.int64)):
        assert float(multi_positive(z, ids, 0.1)) == pytest.approx(math.log(8), abs=1e-12)


def test_captions_with_one_image_add_nothing_but_count_and_are_negatives():
    z = rows(3, 6, 4).requires_grad_()
    value = multi_positive(z, torch.arange(6))
    value.backward()
    assert float(value.detach()) == 0 and bool((z.grad == 0).all())
    mixed = torch.tensor([0, 0, 1, 1, 2, 3])
    alone = float(multi_positive(z.detach()[:4], mixed[:4]))
    assert float(multi_positive(z.detach(), mixed)) == pytest.approx(
        loop(z.detach(), mixed.tolist(), 0.1), abs=1e-12
    )
    assert float(multi_positive(z.detach(), mixed)) > alone * 4 / 6


def test_the_gradient_is_q_minus_p_through_the_unit_sphere():
    t, ids = 0.3, torch.arange(9) % 3
    h = rows(4, 9, 5, 2.0).requires_grad_()
    multi_positive(h, ids, t).backward()
    z = normalize(h.detach(), dim=1)
    eye = torch.eye(9, dtype=torch.bool)
    q = (z @ z.T / t).masked_fill(eye, -torch.inf).softmax(1)
    p = ((ids[:, None] == ids) & ~eye).double() / 2
    g = (q - p) / 9
    free = (g + g.T) @ z / t
    expected = (free - (free * z).sum(1, keepdim=True) * z) / h.detach().norm(dim=1, keepdim=True)
    assert torch.allclose(h.grad, expected, atol=1e-12)
    assert torch.allclose(
        (h.grad * h.detach()).sum(1), torch.zeros(9, dtype=torch.float64), atol=1e-12
    )  # a longer row changes nothing


def test_a_positive_above_its_share_is_pushed_away():
    z = torch.tensor(
        [[1.0, 0.1, 0.0], [1.0, -0.1, 0.0], [0.0, 0.0, 1.0]],
        dtype=torch.float64,
        requires_grad=True,
    )  # two alike, one apart, all of one caption
    (gradient,) = torch.autograd.grad(multi_positive(z, torch.zeros(3, dtype=torch.int64), 0.1), z)
    cosine = torch.nn.functional.cosine_similarity
    moved = z.detach() - 1e-3 * gradient
    assert float(cosine(moved[0], moved[1], dim=0)) < float(
        cosine(z.detach()[0], z.detach()[1], dim=0)
    )
    assert float(cosine(moved[0], moved[2], dim=0)) > float(
        cosine(z.detach()[0], z.detach()[2], dim=0)
    )


@pytest.mark.parametrize("t", [0.05, 0.1, 1.0])
def test_finite_differences_agree(t):
    ids = torch.arange(12) % 4
    assert torch.autograd.gradcheck(
        lambda z: multi_positive(z, ids, t), (rows(5, 12, 8).requires_grad_(),)
    )


def test_scale_order_names_and_rotation_change_nothing():
    z, ids = rows(6, 10, 6), torch.arange(10) % 3
    value = float(multi_positive(z, ids))
    order = rng.permutation(rng.key("order", 0), 10)
    turn = torch.linalg.qr(rows(7, 6, 6)).Q
    lengths = rng.uniform(rng.key("lengths", 0), (10, 1)).double().view(10, 1) + 0.1
    for other in (
        multi_positive(z * lengths, ids),
        multi_positive(z[order], ids[order]),
        multi_positive(z, 7 - ids),
        multi_positive(z @ turn, ids),
    ):
        assert float(other) == pytest.approx(value, abs=1e-12)


def test_equal_shards_with_gathered_candidates_average_to_the_whole():
    z, ids = rows(8, 12, 6).requires_grad_(), torch.arange(12) % 3
    whole = multi_positive(z, ids)
    (gradient,) = torch.autograd.grad(whole, z)

    def anchors(part):
        unit = normalize(z, dim=1)
        log_p = (
            (unit @ unit.T / 0.1)
            .masked_fill(torch.eye(12, dtype=torch.bool), -torch.inf)
            .log_softmax(1)[part]
        )
        positive = ((ids[:, None] == ids) & ~torch.eye(12, dtype=torch.bool))[part]
        return (-log_p.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()

    halves = [anchors(slice(0, 6)), anchors(slice(6, 12))]
    assert float(sum(halves) / 2) == pytest.approx(float(whole), abs=1e-12)
    assert torch.allclose(torch.autograd.grad(sum(halves) / 2, z)[0], gradient, atol=1e-12)
    unequal = [anchors(slice(0, 2)), anchors(slice(2, 12))]
    assert (
        abs(float(sum(unequal) / 2) - float(whole)) > 1e-3
    )  # shards must be weighted by their size


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_sharp_temperatures_and_half_precision_stay_finite_and_near(kind):
    z, ids = rows(9, 16, 8).to(kind), torch.arange(16) % 4
    value = float(multi_positive(z, ids, 0.02))
    assert value == pytest.approx(float(multi_positive(z.double(), ids, 0.02)), rel=1e-5)


@pytest.mark.parametrize(
    ("z", "ids", "temperature", "message"),
    [
        (torch.ones(4, 3), torch.arange(3), 0.1, r"caption_ids of shape \(3,\) for 4 rows"),
        (torch.ones(1, 3), torch.arange(1), 0.1, r"must be \(n, d\) with n ≥ 2"),
        (
            torch.tensor([[1.0, math.nan], [0.0, 1.0]]),
            torch.arange(2),
            0.1,
            "hold 1 values that are not finite",
        ),
        (torch.ones(4, 3), torch.arange(4), 0.0, "temperature = 0.0: must be above 0"),
    ],
)
def test_bad_input_is_named(z, ids, temperature, message):
    with pytest.raises(ParameterError, match=message):
        multi_positive(z, ids, temperature)
