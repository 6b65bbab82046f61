"""Fractals: naive loops as oracles, and the laws of the published code."""

import numpy as np
import pytest
import torch
from scipy import stats

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import fractaldb as fr
from synthlearn.generators import ifs, sigma_fractals
from synthlearn.measure import metrics


def _naive_orbit(systems, probabilities, choices, start):
    """One point after the other: the published way."""
    points, (x, y) = [], start
    cumulative = np.cumsum(probabilities)
    for u in choices:
        j = min(int((u > cumulative).sum()), int((probabilities > 0).nonzero()[0][-1]))
        a, b, c, d, e, f = systems[j]
        x, y = a * x + b * y + e, c * x + d * y + f
        points.append((x, y))
    return np.array(points).T


def test_walk_equals_a_loop_over_points():
    systems, p = fr.fractaldb_systems(fr.categories(6), 0)
    choices = rng.uniform(rng.key("walk", 1)[None], (40, 3))
    got = ifs.walk(systems, p, choices, torch.zeros(6, 2))
    for i in range(6):
        for orbit in range(3):
            want = _naive_orbit(
                systems[i].double().numpy(), p[i].numpy(), choices[0, :, orbit].numpy(), (0.0, 0.0)
            )
            assert np.allclose(got[i, :, :, orbit], want, rtol=1e-3, atol=1e-3)


def test_patches_equal_the_naive_paste_loop():
    size, points = 32, 2000
    keys = rng.key("paste", 3, torch.arange(2))
    pixels = rng.integers(rng.key("pixels", torch.arange(2)), 0, (size - 4) ** 2, (points,))
    pixels = (pixels // (size - 4) + 3) * size + pixels % (size - 4)
    got = fr.paste_patches(fr.last_point(pixels, size), keys)
    for i in range(2):
        mask = 1 + rng.integers(rng.fold(keys[i, None], 7, torch.arange(points)), 0, 511)
        canvas = np.full((size, size), -1)
        for t in range(
            points
        ):  # above and right of the point: the authors' array is flipped afterwards
            y, x = divmod(int(pixels[i, t]), size)
            for k in range(9):
                yy, xx = y - 1 - k // 3, x + 1 + k % 3
                if 0 <= yy < size and 0 <= xx < size:
                    canvas[yy, xx] = t if int(mask[t]) >> k & 1 else -1
        assert np.array_equal(canvas, got[i].numpy())


def test_orbits_side_by_side_fill_like_one_long_orbit():
    trials = fr.categories(40)
    systems, p = fr.fractaldb_systems(trials, 0)
    ours, drawn = fr.fractaldb_points(systems, p, 0, 100_000)
    single = ifs.walk(
        systems, p, rng.uniform(rng.key("single")[None], (100_000, 1)), torch.zeros(40, 2)
    ).flatten(2)

    def fill(points, drawn):
        occupied = torch.zeros((40, 128 * 128 + 1), dtype=torch.bool).scatter_(
            1, fr.fractaldb_pixels(points, drawn, 128), True
        )
        return occupied[:, :-1].sum(1) / 128**2

    difference = (fill(ours, drawn) / fill(single, torch.full((40,), 100_000)) - 1).abs()
    assert float(difference.median()) < 0.02 and float(difference.quantile(0.95)) < 0.12


def test_point_pictures_fill_like_the_released_categories():
    systems, p = fr.fractaldb_systems(fr.categories(120), 0)
    number = fr.draw_fractaldb(systems, p, rng.key("draw", torch.arange(120)), 0, 128, mode="point")
    filled = (number >= 0).float().mean((1, 2))
    assert float(filled.mean()) == pytest.approx(
        0.413, abs=0.025
    )  # released categories: 0.413, 5–95 % 0.324–0.519
    rows, columns = (number >= 0).any(2), (number >= 0).any(1)
    assert bool((rows[:, 5:122].any(1) & ~rows[:, :5].any(1) & ~rows[:, 122:].any(1)).all())
    assert bool((~columns[:, :6].any(1) & ~columns[:, 123:].any(1)).all())


def test_patches_are_bright_in_half_of_the_covered_area():
    systems, p = fr.fractaldb_systems(fr.categories(50), 0)
    keys = rng.key("draw", torch.arange(50))
    points = fr.draw_fractaldb(systems, p, keys, 0, 128, mode="point") >= 0
    bright = fr.draw_fractaldb(systems, p, keys, 0, 128, mode="patch") >= 0
    area = torch.nn.functional.max_pool2d(points.float()[:, None], 3, 1, 1)[:, 0]
    assert float((bright.sum((1, 2)) / area.sum((1, 2))).mean()) == pytest.approx(
        256 / 511, abs=0.01
    )


@pytest.mark.parametrize("per_point", [True, False])
def test_patches_equal_a_loop_that_pastes_point_by_point(per_point):
    n, size = 3, 16
    keys = rng.key("paste", torch.arange(n))
    order = rng.bits(rng.fold(keys, 1), (size * size,)).argsort(1).int()
    last = torch.where(order % 3 == 0, order, -1).view(n, size, size)  # some with no point
    want = torch.full_like(last, -1)
    for i in range(n):
        for number in range(size * size):
            for row, column in (last[i] == number).nonzero().tolist():
                owner = number if per_point else 0
                mask = 1 + int(rng.integers(rng.fold(keys[i : i + 1], 7, owner), 0, 511))
                for k in range(9):
                    y, x = row - 1 - k // 3, column + 1 + k % 3
                    if y >= 0 and x < size:  # a paste covers what was there, by black too
                        want[i, y, x] = number if mask >> k & 1 else -1
    assert torch.equal(fr.paste_patches(last, keys, per_point), want)


def test_search_accepts_as_often_as_the_published_one():
    accepted = sum(1 for trial in fr.categories(1000).tolist() if trial < 20_000)
    assert (
        0.019 < accepted / 20_000 < 0.034
    )  # 2.6 % measured with the code; the shipped list is the first 1,000


def test_shipped_categories_are_those_of_the_search():
    assert fr.search(3, 0, progress=False) == fr.categories(3).tolist()


@pytest.fixture
def searches(runs, monkeypatch):
    """Searches that were made, each instead of a minute's work; ``runs`` is empty."""
    made = []

    def search(count, seed):
        made.append((count, seed))
        return list(range(seed, seed + count))

    monkeypatch.setattr(fr, "search", search)
    fr.categories.cache_clear()
    yield made
    fr.categories.cache_clear()


def _again(count, seed):
    """Categories as another process finds them."""
    fr.categories.cache_clear()
    return fr.categories(count, seed).tolist()


def test_a_search_is_made_once_and_kept(searches):
    assert _again(7, 3) == _again(7, 3) == list(range(3, 10)) and searches == [(7, 3)]
    assert _again(5, 3) == list(range(3, 8)) and _again(1200, 0) == list(range(1200))
    assert searches == [(7, 3), (5, 3), (1200, 0)]


def test_a_damaged_search_is_made_again(searches, runs):
    want = _again(7, 3)
    (path,) = (runs / "fractaldb").iterdir()
    good = path.read_bytes()
    damaged = [good[:-9], good[: len(good) // 2], b"", b"1 2 3", good + b"0"]
    for bit in range(0, 8 * len(good), 41):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    for content in damaged:
        path.write_bytes(content)
        before = len(searches)
        assert _again(7, 3) == want and len(searches) == before + 1 and path.read_bytes() == good


def test_a_search_of_another_number_is_not_taken_for_this_one(searches, runs):
    _again(7, 3)
    (path,) = (runs / "fractaldb").iterdir()
    path.rename(path.with_name(path.name.replace("7", "9")))
    assert _again(9, 3) == list(range(3, 12))


def test_a_search_that_cannot_be_kept_is_used(searches, runs):
    runs.write_text("a file where the folder should be")
    assert _again(7, 3) == list(range(3, 10))


def test_labels_are_of_any_indices():
    g = sl.generator("fractals-fractaldb", categories=3)
    assert (
        g.labels(range(7)).tolist() == g.labels(torch.arange(7)).tolist() == [0, 1, 2, 0, 1, 2, 0]
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e300])
def test_the_weight_is_finite_and_bounded(value):
    with pytest.raises(ParameterError, match="option weight"):
        sl.generator("fractals-fractaldb", weight=value)


@pytest.mark.parametrize("option", ["points", "categories"])
@pytest.mark.parametrize("value", [0, 10**9, 10**25])
def test_no_endless_search_and_no_endless_orbit(option, value):
    with pytest.raises(ParameterError, match=f"option {option}"):
        sl.generator("fractals-fractaldb", **{option: value})


def test_instances_change_only_the_named_parameter():
    vectors = fr.weight_vectors(0.4)
    assert torch.equal(vectors[0], torch.ones(6)) and ((vectors[1:] != 1).sum(1) == 1).all()
    assert sorted(set(vectors[1:][vectors[1:] != 1].tolist())) == pytest.approx(
        [0.2, 0.6, 1.4, 1.8]
    )


def test_flips_are_mirror_images():
    g = sl.generator("fractals-fractaldb", categories=1, weight=0.0, mode="point", points=20_000)
    pictures = g.sample(range(40), 64)
    base = pictures[0]
    forms = [base, base.flip(1), base.flip(2), base.flip(1).flip(2)]
    assert all(any(torch.equal(x, form) for form in forms) for x in pictures)
    assert len({x.numpy().tobytes() for x in pictures}) == 4


def test_modes_and_colours():
    point = sl.generator("fractals-fractaldb", mode="point").sample(range(20))
    patch = sl.generator("fractals-fractaldb").sample(range(20))
    colour = sl.generator("fractals-fractaldb", mode="point", color=True).sample(range(20))
    assert set(point.unique().tolist()) == set(patch.unique().tolist()) == {0, 127}
    shown = colour.amax(1) > 0
    assert torch.equal(shown, point.amax(1) > 0)
    assert (
        int(colour.amax(1)[shown].min()) == 191 and int(colour.amin(1)[shown].max()) == 47
    )  # S = V = 0.75


@pytest.mark.parametrize("maps", [2, 3, 4])
def test_sigma_factors_sum_to_alpha_and_have_the_published_means(maps):
    keys = rng.key("sigma", torch.arange(5000))
    systems, p, singular = sigma_fractals.sigma_systems(keys, maps)
    s1, s2 = singular.unbind(-1)
    alpha = (s1 + 2 * s2).sum(1)
    assert (
        float(alpha.min()) >= (5 + maps) / 2 - 1e-9 and float(alpha.max()) <= (6 + maps) / 2 + 1e-9
    )
    assert bool((s1 <= 1 + 1e-12).all() and (s2 <= s1 + 1e-12).all() and (s2 >= -1e-12).all())
    exact = torch.linalg.svdvals(systems[..., :4].double().view(-1, maps, 2, 2))
    assert torch.allclose(exact, singular, atol=1e-6)
    assert torch.allclose(
        p.double(), singular.prod(-1) / singular.prod(-1).sum(1, keepdim=True), atol=1e-6
    )
    published = {2: (0.763, 0.556), 3: (0.632, 0.393), 4: (0.564, 0.312)}[maps]
    assert (float(s1.mean()), float(s2.mean())) == pytest.approx(published, abs=0.015)


def test_sigma_systems_fill_like_the_published_ones():
    keys = rng.key("sigma-fill", torch.arange(400))
    systems, p, _ = sigma_fractals.sigma_systems(keys)
    points = sigma_fractals.sigma_points(systems, p, keys, 50_000)
    filled = (
        (
            sigma_fractals.sigma_density(
                points, 256, torch.eye(9)[4].view(3, 3).expand(400, 3, 3).bool()
            )
            > 0
        )
        .float()
        .mean((1, 2))
    )
    assert float(filled.median()) == pytest.approx(0.159, abs=0.02)


def test_sigma_hues_below_152_degrees_are_twice_as_frequent():
    byte = torch.arange(256).float()
    angle = sigma_fractals.byte_hue(byte) * 360 % 360
    assert float((angle < 152).float().mean()) == pytest.approx(152 / 256, abs=1e-6)


def test_diamond_square_has_the_published_spread():
    x = sigma_fractals.diamond_square(rng.key("field", torch.arange(400)), 128)
    assert float(x.mean()) == pytest.approx(0.5, abs=0.03) and float(x.std()) == pytest.approx(
        0.28, abs=0.03
    )


def test_sigma_pictures_meet_the_published_means():
    images = sl.generator("fractals-sigma", points=20_000).sample(range(400))
    mean, std = images.float().mean((0, 2, 3)), images.float().std((2, 3)).mean(0)
    assert mean.tolist() == pytest.approx([130, 135, 112], abs=6)
    assert (
        images.float().permute(1, 0, 2, 3).flatten(1).std(1).tolist()
        == pytest.approx([58, 57, 54], abs=6)
        and float(std.min()) > 20
    )
    blurred = rng.uniform(rng.fold(rng.key("fractals", 0, torch.arange(400)), 3), (2,))[:, 0] < 0.5
    slope = metrics.spectrum_slope(
        images[~blurred], 0.4
    )  # the published −1.83 ± 0.44 is of pictures before the blur
    assert (
        float(slope.mean()) == pytest.approx(-1.83, abs=0.15)
        and 0.4 < float(blurred.float().mean()) < 0.6
    )


def test_number_of_instances_is_uniform():
    count = rng.integers(rng.fold(rng.key("fractals", 0, torch.arange(1000)), 1), 1, 6)
    assert stats.chisquare(count.bincount(minlength=6)[1:]).pvalue > 0.001


def test_a_rendering_is_a_function_of_its_number():
    g = sl.generator("fractals-sigma", points=5000)
    first = g.renderings(torch.tensor([5, 9]), 32, 0)
    assert torch.equal(g.renderings(torch.tensor([9, 2, 5]), 32, 0)[[2, 0]], first)


@pytest.mark.parametrize("options", [{}, {"instances": 1}, {"instances": 9, "systems": 3}])
@pytest.mark.parametrize("size", [48, 64])
def test_a_gpus_way_and_a_cpus_paint_the_same_sigma_pictures(options, size):
    g = sl.generator("fractals-sigma", points=3000, **options)
    indices = torch.tensor([0, 7, 7, 1000, 3, 12345])
    keys = rng.key("fractals", 2, indices)
    on_gpu, on_cpu = (g.paint_on(keys, indices, size, 2, way) for way in (True, False))
    assert torch.equal(on_gpu, on_cpu)


def test_a_chunk_makes_each_rendering_that_it_shows_once(monkeypatch):
    g, made = sl.generator("fractals-sigma", points=100), []
    render = g._render

    def watched(numbers, *rest):
        made.extend(numbers.tolist())
        return render(numbers, *rest)

    monkeypatch.setattr(g, "_render", watched)
    indices = torch.arange(300)
    keys = rng.key("fractals", 0, indices)
    g.paint_on(keys, indices, 32, 0, True)
    shown = set()
    for i, count in enumerate(rng.integers(rng.fold(keys, 1), 1, 6).tolist()):
        drawn = rng.integers(rng.fold(keys[i], 2, torch.arange(count), 0), 0, 512)
        shown |= set((i // 2 + drawn).tolist())
    assert made == sorted(shown)


def test_points_beyond_memory_are_rendered_in_parts_of_the_same_bits(monkeypatch):
    g, numbers = sl.generator("fractals-sigma", points=1000), torch.arange(10)
    whole, parts, render = g.renderings(numbers, 32, 0), [], g._render

    def watched(part, *rest):
        parts.append(len(part))
        return render(part, *rest)

    room = 3 * 1000 * sigma_fractals.POINT_BYTES
    monkeypatch.setattr(sigma_fractals, "working_memory", lambda device: room)
    monkeypatch.setattr(g, "_render", watched)
    assert torch.equal(g.renderings(numbers, 32, 0), whole) and parts == [3, 3, 3, 1]
