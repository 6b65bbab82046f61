"""The formula family: naive loops as oracles, and the laws of the published code."""

import math

import numpy as np
import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import contours, exfractal, fractaldb, moire, one_system
from synthlearn.generators.sigma_fractals import sigma_systems

LABELLED = ("formula-visualatom", "formula-rcdb", "formula-exfractal", "formula-one", "noise-moire")


def _rings(gain):
    """Two images' parameters, small enough for a loop."""
    values = {
        "vertices": torch.tensor([7, 24]),
        "contours": torch.tensor([11, 3]),
        "noise": torch.tensor([3.0, 0.7]),
        "width": torch.tensor([0.05, 0.1]),
        "radius": torch.tensor([40.0, 60.0]),
        "ovals": torch.tensor([[1.2, 1.9], [1.7, 1.1]]),
        "centre": torch.tensor([[300.0, 180.0], [60.0, 430.0]]),
        "waves": torch.tensor([[3.0, 5.0], [0.0, 2.0]]),
    }
    return contours.Rings(**values, gain=gain)


def _naive_contours(rings, keys, i, size):
    """Image i, contour by contour, vertex by vertex, pixel by pixel."""
    table, count = contours.noise_table(), int(rings.vertices[i])
    theta = [2 * math.pi * v / count for v in range(count)]
    words = []
    for v in range(count):
        own = rng.fold(rng.fold(keys[i], contours.Draw.STEPS, v), 0)
        more = rng.fold(rng.fold(keys[i], contours.Draw.STEPS, v), contours.AT_ONCE)
        both = torch.cat([rng.bits(k, (contours.AT_ONCE // 2,)) for k in (own, more)])
        words.append(both.view(torch.int16).view(-1, 2).int() + (1 << 15))
    radius = [float(rings.radius[i] * rings.ovals[i, a]) for a in (0, 1)]
    image = np.zeros((size, size), int)
    summed = np.zeros((2, count))
    for j in range(1, int(rings.contours[i]) + 1):
        xy = np.zeros((2, count))
        for v, angle in enumerate(theta):
            wave = sum(math.sin(float(n) * angle) for n in rings.waves[i]) / 2
            outward = float(rings.width[i] + rings.noise[i]) + wave
            for a, turn in enumerate((math.cos(angle), math.sin(angle))):
                summed[a, v] += float(table[words[v][j - 1, a]])
                jitter = rings.gain * float(rings.noise[i]) * summed[a, v]
                xy[a, v] = float(rings.centre[i, a]) + turn * (radius[a] + j * outward - jitter)
        xy *= size / contours.CANVAS
        for v in range(count):
            start, way = xy[:, v], xy[:, (v + 1) % count] - xy[:, v]
            steps = max(1, math.ceil(abs(way).max()))
            for k in range(steps):
                column, row = np.floor(start + way * k / steps).astype(int)
                if 0 <= column < size and 0 <= row < size:
                    image[row, column] = j
    return image


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_contours_equal_the_naive_loop(gain):
    rings, keys, size = _rings(gain), rng.key("rings", torch.arange(2)), 64
    got = contours.contour_numbers(rings, keys, size)
    for i in range(2):
        want = _naive_contours(rings, keys, i, size)
        assert (want > 0).sum() > 50
        # float32 may put a pixel's edge on its other side
        assert (want != got[i].numpy()).mean() < 0.002


@pytest.mark.parametrize("name", ["formula-visualatom", "formula-rcdb"])
def test_vertices_that_are_shed_would_not_have_shown(name, monkeypatch):
    g, indices = sl.generator(name), torch.arange(48)
    keys = g.keys(indices)
    rings = g.rings(keys, indices)
    lean = contours.contour_numbers(rings, keys, 64)
    fewer = contours.columns(rings, keys, 64)
    whole = len(fewer.keys)
    for done in range(0, 96, contours.AT_ONCE):
        contours.moved(fewer, done, fewer.living(done))
    assert len(contours.shed(fewer, fewer.living(96)).keys) < 0.5 * whole
    monkeypatch.setattr(contours, "RETURN", math.inf)
    assert torch.equal(contours.contour_numbers(rings, keys, 64), lean)


def test_a_vertex_that_is_far_outside_does_not_come_back():
    noise = contours.noise_table().double()
    for ratio in torch.linspace(0.01, 3, 60):  # of the step to the noise's factor
        # Lundberg: with E exp(θ(±noise − ratio)) ≤ 1 it climbs by L with probability ≤ exp(−θL)
        theta = ratio * math.log(1e12) / contours.RETURN
        for sign in (1, -1):
            mean = torch.logsumexp(theta * (sign * noise - ratio), 0) - math.log(len(noise))
            assert float(mean) <= 0


def test_the_noise_is_the_authors_at_a_random_place():
    table = contours.noise_table().view(contours.PHASES, 16, 16).double()
    gradient = torch.tensor(contours.GRADIENTS, dtype=torch.float64)
    middle = (table[127] + table[128]) / 2  # of the noise at ½: 0.4·(½g − ½h)/2
    assert torch.allclose(middle, 0.1 * (gradient[:, None] - gradient), atol=1e-4)
    assert float(table[0].abs().max()) < 0.01  # 0 at lattice points
    assert abs(float(table.mean())) < 1e-6


@pytest.mark.parametrize(("name", "most"), [("formula-visualatom", 7), ("formula-rcdb", 4)])
def test_a_category_fixes_the_labelled_parameters_and_no_others(name, most):
    indices = torch.arange(60)  # three categories
    for labelled in (0, 2, most):
        g = sl.generator(name, categories=3, labelled=labelled)
        rings = g.rings(g.keys(indices), indices)
        fields = {
            contours.Draw.WAVES: rings.waves[:, 0] * 100 + rings.waves[:, 1],
            contours.Draw.CONTOURS: rings.contours,
            contours.Draw.VERTICES: rings.vertices,
            contours.Draw.NOISE: rings.noise,
            contours.Draw.WIDTH: rings.width,
            contours.Draw.RADIUS: rings.radius,
            contours.Draw.OVALS: rings.ovals[:, 0],
        }
        for rank, draw in enumerate(g.parameters):
            distinct = len(fields[draw].unique())
            assert distinct <= 3 if rank < labelled else distinct > 9
        assert len(rings.centre.unique(dim=0)) > 50


def test_two_waves_differ_unless_the_first_is_none():
    waves = contours.two_waves(rng.key("waves", torch.arange(40_000)))
    first, second = waves.unbind(1)
    same = first == second
    assert bool((first[same] == 0).all())
    assert float(same[first == 0].float().mean()) == pytest.approx(1 / 21, abs=0.015)
    for part in (first, second[first != 0]):
        share = torch.bincount(part, minlength=21) / len(part)
        assert float((share - 1 / 21).abs().max()) < 0.005


def test_rcdbs_corners_follow_the_truncated_exponential_law():
    corners = contours.few_vertices(rng.key("corners", torch.arange(50_000))).numpy()
    k = np.arange(3, 201)
    p = np.exp(-k / 100) - np.exp(-(k + 1) / 100)
    p /= p.sum()
    assert corners.min() == 3 and corners.max() == 200
    assert corners.mean() == pytest.approx((k * p).sum(), abs=1)
    got = np.bincount(corners, minlength=201)[3:] / len(corners)
    assert abs(got.cumsum() - p.cumsum()).max() < 0.01


@pytest.mark.parametrize("name", LABELLED)
def test_labels_are_the_index_modulo_the_categories(name):
    g = sl.generator(name, categories=7)
    assert g.labels(range(20)).tolist() == [i % 7 for i in range(20)]


@pytest.mark.parametrize("name", [*LABELLED, "fractals-fractaldb", "programs"])
def test_labels_of_what_is_no_index_are_an_error(name):
    for wrong in ([-1], [0.5], torch.tensor([0.5]), [[1]]):
        with pytest.raises(ParameterError, match="ind"):
            sl.generator(name).labels(wrong)


def test_only_perturbed_systems_have_a_delta():
    sl.generator("formula-one", law="1p-frac", delta=0.3)
    with pytest.raises(ParameterError, match=r"law = 'ofdb', delta = 0\.3: only '1p-frac'"):
        sl.generator("formula-one", law="ofdb", delta=0.3)


def test_atoms_are_grey_on_black_and_radial_contours_on_white():
    for name, background in (("formula-visualatom", 0), ("formula-rcdb", 255)):
        x = sl.generator(name).sample(range(40))
        assert torch.equal(x[:, 0], x[:, 1]) and torch.equal(x[:, 0], x[:, 2])
        corner = x[:, 0, ::127, ::127].flatten()
        assert float((corner == background).float().mean()) > 0.5


def test_walks_in_space_equal_the_naive_orbit():
    systems, p = exfractal.exfractal_systems(exfractal.categories()[:2])
    choices = rng.uniform(rng.key("choices")[None], (exfractal.BURN_IN + 30, 5))
    got = exfractal.walk(systems, p, choices).view(2, 3, 30, 5)
    for i in range(2):
        edges = p[i].double().cumsum(0).numpy()
        for orbit in range(5):
            at = np.zeros(3)
            for step, u in enumerate(choices[0, :, orbit].numpy()):
                m = systems[i, min(int((u > edges).sum()), 6)].double().numpy()
                at = m[:9].reshape(3, 3) @ at + m[9:]
                if step >= exfractal.BURN_IN:
                    want = got[i, :, step - exfractal.BURN_IN, orbit].numpy()
                    assert np.allclose(at, want, atol=1e-4)


def test_probabilities_in_space_are_the_determinants():
    systems, p = exfractal.exfractal_systems(torch.arange(50))
    d = np.abs(np.linalg.det(systems[..., :9].reshape(50, 7, 3, 3).double().numpy()))
    assert np.allclose(p.numpy(), d / d.sum(1, keepdims=True), atol=1e-5)
    count = (p > 0).sum(1)
    assert int(count.min()) == 2 and int(count.max()) == 7


def test_the_categories_in_space_are_those_that_the_search_accepts():
    known = exfractal.categories()
    assert len(known) == 1000 and bool((known.diff() > 0).all())
    first = torch.arange(int(known[1]) + 1)
    accepted = first[exfractal.search_variance(first) > exfractal.SEARCH_VARIANCE]
    assert accepted.tolist() == known[:2].tolist()


def test_an_instance_in_space_changes_one_number():
    vectors = exfractal.weight_vectors()
    assert vectors.shape == (145, 12) and len(vectors.unique(dim=0)) == 145
    assert sorted((vectors != 1).sum(1).tolist()) == [0] + [1] * 144
    assert vectors.unique().tolist() == pytest.approx([0.1 * k for k in range(4, 17)])


def test_views_are_rotations_in_no_preferred_direction():
    turn = exfractal.rotations(rng.key("turn", torch.arange(4000))).double()
    one = turn @ turn.transpose(1, 2)
    assert torch.allclose(one, torch.eye(3).double().expand_as(one), atol=1e-5)
    assert torch.allclose(torch.linalg.det(turn), torch.ones(4000).double(), atol=1e-5)
    # the image of a fixed axis is uniform on the sphere: means 0, squares 1/3
    assert float(turn.mean(0).abs().max()) < 0.04
    assert float((turn.square().mean(0) - 1 / 3).abs().max()) < 0.03


def test_a_projection_keeps_what_lies_along_the_view_on_one_pixel():
    along = torch.tensor([[[0.0, 0, 0], [0, 0, 0], [-1.0, 0, 1]]])
    assert int(exfractal.project(along, torch.eye(3)[None], 32).sum()) == 1
    across = along.flip(1)
    image = exfractal.project(across, torch.eye(3)[None], 32)[0]
    assert image.nonzero().tolist() == [[16, 0], [16, 16], [16, 31]]


def test_ofdbs_images_of_a_class_are_one_system_in_other_patterns():
    g = sl.generator("formula-one", categories=2, points=20_000)
    x = g.sample([0, 2, 4, 1])[:, 0] > 0
    systems = fractaldb.fractaldb_systems(fractaldb.categories(2), 0)
    keys = torch.zeros(2, dtype=torch.int64)
    points = fractaldb.draw_fractaldb(*systems, keys, 0, 128, 20_000, "point") >= 0
    reach = torch.nn.functional.max_pool2d(points[:, None].float(), 5, 1, 2)[:, 0] > 0
    reach = torch.nn.functional.max_pool2d(reach[:, None].float(), 3, 1, 1)[:, 0] > 0
    assert bool((x[:3] <= reach[0]).all()) and bool((x[3] <= reach[1]).all())
    assert not torch.equal(x[0], x[1])


def test_the_single_system_is_the_first_of_its_sum_that_fills():
    numbers = torch.arange(one_system.SYSTEM + 1)
    _, _, singular = sigma_systems(rng.key("1p-frac-system", numbers), 2)
    sums = (singular[..., 0] + 2 * singular[..., 1]).sum(1)
    near = numbers[(sums - one_system.SIGMA).abs() <= one_system.SIGMA_APART].tolist()
    fills = [float(one_system.filled(*one_system.one_system(n))) > 0.2 for n in near]
    assert near[-1] == one_system.SYSTEM and fills == [False] * (len(near) - 1) + [True]


def test_classes_of_the_single_system_are_small_perturbations_that_fill():
    system, probabilities = one_system.one_system()
    classes = one_system.perturbed(20, 0.1)
    there = system[0].abs() > 0
    ratio = (classes / system)[:, there]
    assert 0.9 <= float(ratio.min()) < 0.91 and 1.09 < float(ratio.max()) <= 1.1
    assert bool((one_system.filled(classes, probabilities.expand(20, -1)) > 0.05).all())
    assert torch.equal(one_system.perturbed(3, 0.0), system.expand(3, -1, -1))


def test_rings_of_two_sources_equal_the_formula():
    size, count = 16, torch.tensor([1, 2])
    rings = torch.tensor([[3.0, 9.0], [5.0, 7.0]])
    centre = torch.tensor([[[0.3, -0.4], [2.0, 2.0]], [[0.5, 0.5], [1.5, 0.0]]])
    phase = torch.tensor([[[0.1, 0.7]], [[0.0, 0.25]]])
    got = moire.interference(count, rings, centre, phase, size)
    for i in range(2):
        for row, column in ((0, 0), (3, 11), (15, 15)):
            want = 0.0
            for k in range(int(count[i])):
                x, y = (column + 0.5) / size, (row + 0.5) / size
                away = math.hypot(x - float(centre[i, k, 0]), y - float(centre[i, k, 1]))
                turns = away * float(rings[i, k]) + float(phase[i, 0, k])
                want += math.cos(2 * math.pi * turns) / int(count[i])
            assert float(got[i, 0, row, column]) == pytest.approx(want, abs=1e-4)
