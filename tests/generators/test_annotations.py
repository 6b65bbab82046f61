"""What images know: objects, order and edges, against painters that lay one object on another."""

import pytest
import torch
from test_dead_leaves import _paint_with_opencv
from test_generators import LIGHT, NAMES, light

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import annotations, collage, dead_leaves, mixed, sigma_fractals

KNOWN = {
    "dead_leaves-squares": {},
    "dead_leaves-mixed": {"law": "code"},
    "dead_leaves-textures": {"textures": 2},
    "fractals-sigma": LIGHT["fractals-sigma"],
    "fractals-fractaldb": LIGHT["fractals-fractaldb"],
    "collage": {"field": "spectrum"},
    "collage-found": {"field": "none"},
}


def known(name):
    return sl.generator(name, **KNOWN[name])


def leaf_by_leaf(keys, shape, size, exponent=3.0):
    """Paints span after span, each over what is there, up to the leaf that covers the last pixel:
    numbers from 1, int32 (n, size, size)."""
    spans = dead_leaves.leaf_spans(keys, shape, size, 2048, exponent)
    out = torch.zeros((len(keys), size, size), dtype=torch.int32)
    for image in range(len(keys)):
        own = [x[spans[0] == image] for x in spans[1:]]
        for leaf, row, left, right in sorted(zip(*(x.tolist() for x in own), strict=True)):
            if bool((out[image] > 0).all()) and leaf >= int(out[image].max()):
                break
            out[image, row, left : right + 1] = leaf + 1
    return out


@pytest.mark.parametrize("shape", ["mixed", "oriented"])
def test_the_leaf_at_each_pixel_is_the_last_one_painted_there(shape):
    source = sl.generator("dead_leaves-mixed", shape=shape, law="code")
    order = sl.annotate(source, range(3), size=40)["order"]
    assert torch.equal(order, leaf_by_leaf(source.keys(range(3)), shape, 40))


def test_leaves_are_those_that_opencv_paints():
    source = sl.generator("dead_leaves-squares", law="code")
    order = sl.annotate(source, [5], size=48, labels=["order"])["order"][0]
    painted = _paint_with_opencv(source.keys([5])[0], "square", 48, int(order.max()))
    assert torch.equal(order, torch.from_numpy(painted).int() + 1)


def test_colours_follow_from_the_order_alone():
    source = sl.generator("dead_leaves-mixed")
    maps = sl.annotate(source, range(4), size=128)
    again = dead_leaves.leaf_colours(source.keys(range(4)), maps["order"] - 1)
    assert torch.equal(again, maps["images"])


def test_a_textured_leaf_shows_one_texture():
    source = known("dead_leaves-textures")
    maps = sl.annotate(source, range(2), size=128, labels=["order"])
    leaves = rng.fold(source.keys(range(2)), dead_leaves.Draw.COLOUR)[:, None, None]
    which = rng.integers(leaves + maps["order"] - 1, 0, 2)
    bank = sl.generator("stat-spectrum_color_wmm").sample(range(2), 128)
    again = bank[which, :, torch.arange(128)[:, None], torch.arange(128)].permute(0, 3, 1, 2)
    assert torch.equal(again, maps["images"])


def test_fractals_lie_on_each_other_in_their_order():
    source, index = known("fractals-sigma"), torch.arange(6)
    order = sl.annotate(source, index, size=128)["order"]
    numbers, own, count = source.instances(source.keys(index), index)
    for i in range(len(index)):
        canvas = torch.zeros(128, 128, dtype=torch.int32)
        for slot in range(int(count[i])):
            density = source.renderings(numbers[i, slot][None], 64, 0)
            placed = sigma_fractals._instance(density, own[i, slot][None], 128)[0]
            canvas[placed.amax(0) > 0] = slot + 1
        assert torch.equal(order[i], canvas)
    assert int(order.max()) > 1 and bool((order == 0).any())


def test_a_pasted_box_lies_in_front_of_its_collage():
    source = known("collage-found")
    key, exponent = source.keys([3]), source.options.exponent
    order = sl.annotate(source, [3], size=128, labels=["order"])["order"][0]
    centre, half = (x[0, 1] for x in mixed.boxes(rng.fold(key, collage.Draw.MIXING), 2))
    behind, front = (
        leaf_by_leaf(rng.fold(key, collage.Draw.PART, k), "oriented", 128, exponent)[0]
        for k in (0, 1)
    )
    place = (torch.arange(128) + 0.5) / 128
    for y in range(0, 128, 5):
        for x in range(0, 128, 5):
            inside = bool(((torch.stack((place[y], place[x])) - centre).abs() < half).all())
            lies = front[y, x] + dead_leaves.MAX_LEAVES if inside else behind[y, x]
            assert order[y, x] == lies
    assert bool((order > dead_leaves.MAX_LEAVES).any()) and bool((order < 5000).any())


def test_a_fractal_is_where_its_image_is_not_black():
    maps = sl.annotate(known("fractals-fractaldb"), [2, 9], size=128)
    assert torch.equal(maps["instances"] == 1, maps["images"].amax(1) > 0)
    assert torch.equal(maps["instances"], maps["order"])


@pytest.mark.parametrize("name", KNOWN)
def test_images_are_those_of_sample_and_labels_do_not_depend_on_the_batch(name):
    maps = sl.annotate(known(name), [4, 0, 4], size=48, seed=2)
    assert torch.equal(maps["images"], known(name).sample([4, 0, 4], 48, 2))
    for label in annotations.LABELS:
        alone = sl.annotate(known(name), [4], size=48, seed=2, labels=[label])
        assert alone.keys() == {"images", label}
        assert torch.equal(alone[label][0], maps[label][0])
        assert torch.equal(maps[label][0], maps[label][2])
    assert maps["instances"].dtype == maps["order"].dtype == torch.int32
    assert maps["edges"].dtype == torch.bool and bool(maps["edges"].any())


@pytest.mark.parametrize("name", ["dead_leaves-squares", "collage", "fractals-sigma"])
def test_labels_of_small_images_are_those_of_the_painted_pixel_in_the_middle(name):
    large = sl.annotate(known(name), range(3), size=128)
    for size in (32, 48):
        small = sl.annotate(known(name), range(3), size=size)
        at = [int((i + 0.5) * 128 / size) for i in range(size)]
        for label in ("instances", "order"):
            assert torch.equal(small[label], large[label][:, at][:, :, at])


@pytest.mark.parametrize("name", KNOWN)
def test_instances_count_from_one_in_the_order_of_painting(name):
    maps = sl.annotate(known(name), [1], size=128)
    for instances, order in zip(maps["instances"], maps["order"], strict=True):
        pairs = torch.stack((instances.flatten(), order.flatten())).unique(dim=1)
        background = int((order == 0).any())
        assert pairs[0].tolist() == list(range(1 - background, len(pairs[0]) + 1 - background))
        assert pairs[1].tolist() == sorted(set(order.flatten().tolist()))


def test_edges_are_where_a_neighbour_shows_another_object():
    maps = sl.annotate(known("fractals-sigma"), [0], size=32)
    ids, edges = maps["instances"][0].tolist(), maps["edges"][0].tolist()
    for y in range(32):
        for x in range(32):
            right = x < 31 and ids[y][x] != ids[y][x + 1]
            below = y < 31 and ids[y][x] != ids[y + 1][x]
            assert edges[y][x] == (right or below)


def test_no_image_has_no_labels():
    maps = sl.annotate(known("dead_leaves-squares"), [], size=16)
    assert all(len(each) == 0 for each in maps.values()) and len(maps) == 4


def test_what_cannot_be_labelled_says_so():
    for name in NAMES:
        if not annotations.has_annotations(light(name)):
            with pytest.raises(ParameterError, match="no objects; choose one of"):
                sl.annotate(light(name), [0])
    with pytest.raises(ParameterError, match="convex mix"):
        sl.annotate(sl.generator("collage", rule="convex"), [0])
    with pytest.raises(ParameterError, match="'depth' is none; must be of 'instances'"):
        sl.annotate(known("collage"), [0], labels=["depth"])
    for labels in ("edges", None, 5):
        with pytest.raises(ParameterError, match=r"labels = .*: must be a list of them, as"):
            sl.annotate(known("collage"), [0], labels=labels)
    with pytest.raises(ParameterError, match="size = 4"):
        sl.annotate(known("collage"), [0], size=4)


@pytest.mark.parametrize("wrong", ["dead_leaves-mixed", None, 5])
def test_what_is_no_generator_is_named(wrong):
    with pytest.raises(ParameterError, match=r"source = .*: must be a generator"):
        sl.annotate(wrong, [0])
