"""Data sets for others' trainers: each image where it should be, once; a step of each library."""

import copy
import itertools
import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

import synthlearn as sl
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.core.vision import torchvision
from synthlearn.data import export, image_set, torch_sets
from synthlearn.data.torch_sets import DeviceLoader, Images, Stream

LEAVES = "dead_leaves-squares"


class Numbers(sl.data.Source):
    """Images that hold their own number, in the red and green of every pixel; so do the labels."""

    name, kind = "numbers", "generator"

    def sample(self, indices, size=8, seed=0, device="cpu"):
        low, high = indices % 256, indices // 256
        colours = torch.stack([low, high, torch.zeros_like(low)], 1).byte()
        return colours[..., None, None].expand(-1, -1, size, size).to(device)

    def labels(self, indices):
        return torch.as_tensor(indices)

    def spec(self):
        return {"generator": self.name}


def number(image):
    """The number that an image holds, or each of a batch (n, 3, s, s)."""
    return image[..., 0, 0, 0].long() + 256 * image[..., 1, 0, 0].long()


def seen(loader, most=None):
    """Labels in the order in which a loader gives them, each checked against its image."""
    numbers = []
    for images, labels in itertools.islice(loader, most):
        assert torch.equal(number(images), labels)
        numbers += labels.tolist()
    return numbers


# ---- Images ----


def test_an_item_is_the_sources_image_whatever_the_batch():
    images = Images(LEAVES, n=40, size=16, seed=3)
    batch = images.__getitems__([7, 0, -1, 7])
    own = sl.generator(LEAVES).sample([7, 0, 39, 7], 16, 3)
    assert len(images) == 40 and all(map(torch.equal, own, (image for image, _ in batch)))
    assert torch.equal(images[7][0], own[0]) and {label for _, label in batch} == {0}


def test_iteration_ends_where_the_images_do():
    assert [label for _, label in Images(Numbers(), n=3, size=8)] == [0, 1, 2]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index}: there are 3 images"):
            Images(Numbers(), n=3, size=8)[index]


@pytest.mark.parametrize("index", [1.5, "1", None, True, slice(0, 2), [0, 1], float("nan")])
def test_an_index_that_is_no_whole_number_is_refused(index):
    with pytest.raises(ParameterError, match=r"index = .*: must be a whole number"):
        Images(Numbers(), n=3, size=8)[index]
    assert Images(Numbers(), n=3, size=8).__getitems__([]) == []


@pytest.mark.parametrize("make", [Images, Stream, DeviceLoader])
def test_a_transform_that_cannot_be_called_is_refused_at_the_door(make):
    options = {} if make is Stream else {"n": 4}
    if make is DeviceLoader:
        options |= {"batch_size": 4, "device": "cpu"}
    with pytest.raises(ParameterError, match="transform = 'crop': must be a function"):
        make("noise-white", size=8, transform="crop", **options)
    if make is not DeviceLoader:
        with pytest.raises(ParameterError, match="pil = 'no': must be True or False"):
            make("noise-white", size=8, pil="no", **options)


def test_classes_are_those_of_all_images_however_many_are_looked_at_together(monkeypatch):
    source = sl.generator("programs", programs=30)
    names = [Images(source, n, 8).classes for n in (7, 30, 50)]
    monkeypatch.setattr(torch_sets, "MANY", 4)
    assert names == [Images(source, n, 8).classes for n in (7, 30, 50)]
    assert [len(each) for each in names] == [7, 30, 30]


def test_two_workers_give_what_none_gives_and_a_copy_by_pickle_too():
    images = Images(Numbers(), n=50, size=8)
    options = {"batch_size": 8, "shuffle": True}
    orders = [
        seen(DataLoader(each, num_workers=w, generator=torch.Generator().manual_seed(1), **options))
        for each, w in ((images, 0), (images, 2), (pickle.loads(pickle.dumps(images)), 0))
    ]
    assert orders[0] == orders[1] == orders[2] and sorted(orders[0]) == list(range(50))


def test_every_named_source_survives_pickle():
    for source in (sl.generator("mixed", parts=[LEAVES, "noise-white"]), "fractals-fractaldb"):
        images = Images(source, n=4, size=16)
        copy = pickle.loads(pickle.dumps(images))
        assert torch.equal(copy[3][0], images[3][0]) and copy[3][1] == images[3][1]


def test_views_are_drawn_apart_and_pil_holds_the_same_pixels():
    draws = itertools.count()
    views, label = Images(Numbers(), 5, 8, transform=lambda x: (next(draws), x), views=3)[4]
    assert isinstance(views, tuple) and [draw for draw, _ in views] == [0, 1, 2] and label == 4
    assert all(number(x) == 4 for _, x in views)
    pil, _ = Images(LEAVES, 2, 16, pil=True)[1]
    tensor, _ = Images(LEAVES, 2, 16)[1]
    assert torch.equal(torch.from_numpy(np.array(pil)).permute(2, 0, 1), tensor)
    with pytest.raises(ParameterError, match="views = 2: without a transform"):
        Images(Numbers(), 5, 8, views=2)


def test_labels_and_classes_are_those_of_the_folder_that_generate_writes(tmp_path):
    source = sl.generator("fractals-fractaldb", categories=3)
    export.write(source, 7, 16, 0, tmp_path)
    folder = torchvision.datasets.ImageFolder(str(tmp_path / "train"))
    images = Images(source, 7, 16, pil=True)
    files = {int(Path(path).stem): k for k, (path, _) in enumerate(folder.samples)}
    for i, (image, label) in enumerate(images):
        stored, index = folder[files[i]]
        assert label == index and np.array_equal(np.array(image), np.array(stored))
    assert images.classes == folder.classes and Images("noise-white", 9, 8).classes == [
        "noise-white"
    ]


def test_a_real_set_keeps_its_classes_and_ends():
    digits = sl.data.source("real", data="digits")
    images = Images(digits, 20, 8)
    assert images.classes == [str(d) for d in range(10)]
    assert [label for _, label in images] == digits.labels(range(20)).tolist()
    with pytest.raises(DataError, match="n = 1001: real:digits has 1000 images; lower n"):
        Images(digits, 1001, 8)


def test_what_cannot_be_is_refused_at_the_door():
    for wrong, words in (
        ({"source": "dead_leaves"}, "unknown source 'dead_leaves'"),
        ({"n": 0}, "n = 0"),
        ({"size": 4}, "size = 4"),
        ({"views": 0}, "views = 0"),
    ):
        with pytest.raises(ParameterError, match=words):
            Images(**{"source": "noise-white", "n": 3, "size": 8, **wrong})


# ---- Stream ----


def shares(monkeypatch, workers, **options):
    """What each worker of each rank gets."""
    parts = []
    for rank in range(options.pop("ranks")):
        for worker in range(workers):
            info = SimpleNamespace(id=worker, num_workers=workers, seed=worker)
            monkeypatch.setattr(torch_sets, "get_worker_info", lambda info=info: info)
            ranks = options["shard"][1]
            stream = Stream(Numbers(), 8, **{**options, "shard": (rank, ranks)})
            parts.append([label for _, label in stream])
    return parts


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 7),
    ranks=st.integers(1, 3),
    workers=st.integers(1, 3),
)
def test_no_image_twice_nor_missing_over_all_workers_and_ranks(n, batch_size, ranks, workers):
    with pytest.MonkeyPatch.context() as patch:
        options = {"n": n, "batch_size": batch_size, "ranks": ranks, "shard": (0, ranks)}
        parts = shares(patch, workers, **options)
    assert sorted(itertools.chain(*parts)) == list(range(n))
    for rank in range(ranks):
        own = sum(map(len, parts[rank * workers : (rank + 1) * workers]))
        assert own == len(Stream(Numbers(), 8, n=n, batch_size=batch_size, shard=(rank, ranks)))
        if n % (batch_size * ranks) == 0:
            assert own == n // ranks


def test_the_order_of_two_workers_is_that_of_none():
    stream = Stream(Numbers(), 8, n=45, batch_size=8)
    loaders = [DataLoader(stream, batch_size=8, num_workers=workers) for workers in (0, 2)]
    assert seen(loaders[0]) == seen(loaders[1]) == list(range(45)) and len(loaders[1]) == 6


def test_ranks_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert [label for _, label in Stream(Numbers(), 8, n=12, batch_size=2)] == [2, 3, 8, 9]
    monkeypatch.setenv("WORLD_SIZE", "1")  # one process: RANK is some other program's
    assert Stream(Numbers(), 8).rank == 0
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in ("3", "-1", "x", None):  # none: every process would take rank 0's images
        monkeypatch.delenv("RANK") if rank is None else monkeypatch.setenv("RANK", rank)
        with pytest.raises(
            ParameterError, match=rf"shard = \('{rank or ''}', '3'\): must be a rank"
        ):
            Stream(Numbers(), 8)


@pytest.mark.parametrize("shard", [(1, 1), (-1, 2), (0, 2, 3), (0,), (), {}, 5, "01", (0.0, 2)])
def test_a_shard_that_is_none_is_named(shard):
    with pytest.raises(ParameterError, match=r"shard = .*: must be a rank from 0"):
        Stream(Numbers(), 8, shard=shard)


def test_an_epoch_has_images_of_its_own_and_workers_that_live_on_hear_of_it():
    stream = Stream(Numbers(), 8, n=10, batch_size=4)
    loader = DataLoader(stream, batch_size=4, num_workers=2, persistent_workers=True)
    first, same = seen(loader), seen(loader)
    stream.set_epoch(2)
    assert first == same == list(range(10)) and seen(loader) == list(range(20, 30))
    with pytest.raises(TypeError, match="without end has no length"):
        len(Stream(Numbers(), 8))


@pytest.mark.parametrize("taken", range(0, 12))
def test_a_stream_goes_on_exactly_where_it_was(taken):
    stream = Stream(Numbers(), 8, n=11, batch_size=4, shard=(0, 1))
    stream.set_epoch(1)
    before = iter(stream)
    first = [label for _, label in itertools.islice(before, taken)]
    later = Stream(Numbers(), 8, n=11, batch_size=4, shard=(0, 1))
    later.load_state_dict(stream.state_dict())
    later.set_epoch(1)  # as a loop over epochs does: it goes on all the same
    rest = [label for _, label in later]
    assert first + rest == list(range(11, 22)) and rest == [label for _, label in before]
    assert [label for _, label in later] == list(range(11, 22))  # then the epoch from its beginning


def test_the_state_of_an_epoch_that_has_just_begun_is_its_beginning():
    for taken in (5, 10):
        stream, later = (Stream(Numbers(), 8, n=10, batch_size=4) for _ in range(2))
        list(itertools.islice(stream, taken))
        stream.set_epoch(1)
        later.load_state_dict(stream.state_dict())
        assert [label for _, label in later] == list(range(10, 20))


def test_each_worker_goes_on_by_itself_as_torchdata_asks_it_to(monkeypatch):
    info = SimpleNamespace(id=1, num_workers=2, seed=1)
    monkeypatch.setattr(torch_sets, "get_worker_info", lambda: info)
    whole = [label for _, label in Stream(Numbers(), 8, n=30, batch_size=4)]
    for taken in range(len(whole)):
        stream, later = (Stream(Numbers(), 8, n=30, batch_size=4) for _ in range(2))
        first = [label for _, label in itertools.islice(stream, taken)]
        later.load_state_dict(stream.state_dict())
        assert first + [label for _, label in later] == whole
    info.num_workers = 3
    later.load_state_dict(stream.state_dict())
    with pytest.raises(ParameterError, match="taken with 2 workers, and here are 3"):
        next(iter(later))


def test_after_some_batches_any_number_of_workers_goes_on_and_no_other_stream_does():
    stream = Stream(Numbers(), 8, batch_size=4)
    state = stream.state_dict(batches=3)
    for workers in (0, 2):
        later = Stream(Numbers(), 8, batch_size=4)
        later.load_state_dict(state)
        assert seen(DataLoader(later, 4, num_workers=workers), 3) == list(range(12, 24))
    for other in ({"size": 16}, {"seed": 1}, {"batch_size": 2}, {"shard": (0, 2)}):
        with pytest.raises(ParameterError, match="state of a stream: its "):
            Stream(Numbers(), **{"size": 8, "batch_size": 4, **other}).load_state_dict(state)


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("live_on", [False, True])
@pytest.mark.parametrize("copy", [copy.copy, copy.deepcopy])
def test_the_iteration_after_the_one_that_went_on_is_the_whole_epoch(workers, live_on, copy):
    """Also where the first was left after a batch, and where workers live on from before."""
    stream = copy(Stream(Numbers(), 8, n=22, batch_size=4))
    live_on = live_on and workers > 0
    loader = DataLoader(stream, 4, num_workers=workers, persistent_workers=live_on)
    state = stream.state_dict(batches=3)
    for most in (None, 1):
        assert seen(loader) == list(range(22))
        stream.load_state_dict(state)
        assert seen(loader, most) == list(range(12, 22))[: most and 4]
        assert seen(loader) == seen(DataLoader(stream, 4)) == list(range(22))


def test_the_iteration_after_may_have_other_workers():
    stream = Stream(Numbers(), 8, n=22, batch_size=4)
    stream.load_state_dict(stream.state_dict(batches=3))
    assert seen(DataLoader(stream, 4, num_workers=1)) == list(range(12, 22))
    assert seen(DataLoader(stream, 4, num_workers=3)) == list(range(22))


def test_a_worker_that_had_not_begun_when_an_iteration_was_left_begins_the_next_at_its_beginning(
    monkeypatch,
):
    stream = Stream(Numbers(), 8, n=22, batch_size=4)
    stream.load_state_dict(stream.state_dict(batches=2))
    first = [(0, 7)]  # of two; the other is ended before it gives an image
    for (worker, seed), begins in zip([*first, (0, 9), (1, 10)], (8, 0, 4), strict=True):
        info = SimpleNamespace(id=worker, num_workers=2, seed=seed)
        monkeypatch.setattr(torch_sets, "get_worker_info", lambda info=info: info)
        assert next(iter(stream))[1] == begins


def test_an_iteration_that_is_not_over_moves_no_later_one():
    stream = Stream(Numbers(), 8, n=10, batch_size=4)
    old = iter(stream)
    next(old)
    stream.set_epoch(1)
    assert next(old)[1] == 1 and stream.state_dict()["given"] == 0
    assert [label for _, label in stream] == list(range(10, 20))


def test_an_epoch_without_end_has_images_of_its_own_too():
    stream = Stream(Numbers(), 8, batch_size=4)
    firsts = []
    for epoch in range(3):
        stream.set_epoch(epoch)
        firsts.append(next(iter(stream))[1])
    assert firsts == [0, torch_sets.FAR, 2 * torch_sets.FAR]


def test_streams_of_other_options_are_others_also_after_json():
    def stream(categories):
        return Stream(sl.generator("fractals-fractaldb", categories=categories), 8)

    state = json.loads(json.dumps(stream(5).state_dict(batches=1)))
    stream(5).load_state_dict(state)
    with pytest.raises(ParameterError, match="its option categories is 5, that of this one 7"):
        stream(7).load_state_dict(state)


WHOLE = Stream(Numbers(), 8, n=9).state_dict()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        *((wrong, "has not all of of, epoch, batches") for wrong in (None, 5, "x", [], {})),
        *(({k: v for k, v in WHOLE.items() if k != name}, "has not all of") for name in WHOLE),
        ({**WHOLE, "of": None}, "its source is None"),
        ({**WHOLE, "epoch": -1}, "epoch = -1"),
        ({**WHOLE, "epoch": 2**62}, "epoch = 4611686018427387904"),
        ({**WHOLE, "batches": 2**62}, "batches = 4611686018427387904"),
        ({**WHOLE, "given": 1.5}, "given = 1.5"),
        ({**WHOLE, "workers": 0}, "workers = 0"),
    ],
)
def test_what_is_no_state_is_named_and_changes_nothing(state, words):
    stream = Stream(Numbers(), 8, n=9)
    with pytest.raises(ParameterError, match=words):
        stream.load_state_dict(state)
    assert [label for _, label in stream] == list(range(9)) and stream.state_dict()["epoch"] == 0


@pytest.fixture
def folder(tmp_path):
    """A source of six grey images, as grey as their number."""
    for grey in range(6):
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(tmp_path / f"{grey}.png")
    return sl.data.source("folder", path=str(tmp_path))


def test_a_set_of_so_many_images_comes_again(folder):
    """In every epoch the same images, in a stream without end round and round."""
    endless = itertools.islice(Stream(folder, 8, batch_size=4), 14)
    assert [int(image[0, 0, 0]) for image, _ in endless] == [*range(6), *range(6), 0, 1]
    stream = Stream(folder, 8, n=6)
    stream.set_epoch(3)
    assert [int(image[0, 0, 0]) for image, _ in stream] == list(range(6))
    for refresh in (1.0, 0.5):
        loader = DeviceLoader(folder, 6, 8, batch_size=3, device="cpu", refresh=refresh)
        for _ in range(3):
            values = [int(image[0, 0, 0]) for images, _ in loader for image in images]
            assert sorted(values) == list(range(6))


# ---- DeviceLoader ----


@pytest.mark.parametrize("refresh", ["1", None, True, -0.1, 1.5, float("nan")])
def test_a_refresh_that_is_no_share_is_refused(refresh):
    with pytest.raises(ParameterError, match=r"refresh = .*: must be a number from 0 to 1"):
        DeviceLoader("noise-white", n=8, size=8, batch_size=4, device="cpu", refresh=refresh)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_epoch_of_batches_holds_each_image_once_with_its_own_label(threads, runs):
    options = {"n": 50, "size": 8, "batch_size": 8, "device": "cpu"}
    torch.set_num_threads(threads)
    try:
        loader = DeviceLoader(Numbers(), **options)
        first, second = seen(loader), seen(loader)
        fixed = DeviceLoader(Numbers(), refresh=0, **options)
        pool, again = seen(fixed), seen(fixed)
    finally:
        torch.set_num_threads(1)
    assert len(first) == len(set(first)) == 48 == 8 * len(loader) and set(first) <= {*range(50)}
    assert set(second) <= {*range(50, 100)}  # new images, and another order
    assert [i - 50 for i in second] != first and pool != again and {*pool, *again} == {*range(50)}
    loader.set_epoch(0)
    assert seen(loader) == first


def test_a_device_may_be_torchs():
    loaders = [DeviceLoader(LEAVES, 4, 16, 2, device=each) for each in ("cpu", torch.device("cpu"))]
    assert all(map(torch.equal, *([images for images, _ in loader] for loader in loaders)))
    with pytest.raises(ParameterError, match="device = 'meta': not on this machine"):
        DeviceLoader(LEAVES, 4, 16, 2, device=torch.device("meta"))


def test_a_batch_that_the_images_do_not_fill_is_refused():
    with pytest.raises(ParameterError, match="batch_size = 9: must be a whole number from 1 to 8"):
        DeviceLoader("noise-white", n=8, size=8, batch_size=9, device="cpu")


# ---- others' libraries ----


def test_a_step_of_timm_with_its_own_loader():
    import timm
    import timm.data
    import timm.loss

    images = Images(sl.generator("programs", programs=4), 16, 32, pil=True)
    loader = timm.data.create_loader(
        images,
        input_size=(3, 32, 32),
        batch_size=8,
        is_training=True,
        num_workers=2,
        device=torch.device("cpu"),
        persistent_workers=False,
    )
    network = timm.create_model("test_resnet", num_classes=len(images.classes))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    first = next(network.parameters())
    before = first.detach().clone()
    x, y = next(iter(loader))
    assert x.shape == (8, 3, 32, 32) and x.dtype == torch.float32 and int(y.max()) < 4
    timm.loss.LabelSmoothingCrossEntropy()(network(x), y).backward()
    optimiser.step()
    assert not torch.equal(before, first)


def test_a_step_of_lightlys_simclr_and_its_samples_of_three():
    from lightly.data import LightlyDataset
    from lightly.loss import NTXentLoss
    from lightly.transforms import SimCLRTransform

    transform = SimCLRTransform(input_size=16)
    images = Images("noise-white", 4, 24, transform=transform, pil=True)
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16**2, 8))
    (first, second), labels = next(iter(DataLoader(images, batch_size=4)))
    assert first.shape == second.shape == (4, 3, 16, 16) and not torch.equal(first, second)
    NTXentLoss()(encoder(first), encoder(second)).backward()
    assert encoder[1].weight.grad.abs().sum() > 0
    three = LightlyDataset.from_torch_dataset(Images("noise-white", 4, 24, pil=True), transform)
    views, labels, names = next(iter(DataLoader(three, batch_size=2)))
    assert len(views) == 2 and labels.tolist() == [0, 0] and list(names) == ["0", "1"]


def test_hugging_faces_sets_hold_the_same_images_and_come_back(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setattr(torch_sets, "PART", 4)
    images = Images(sl.generator("programs", programs=3), 6, 16)
    for rows in (images.to_hf(), images.to_hf(streaming=False)):
        assert rows.features["label"].names == images.classes
        rows = list(rows.with_format("torch"))
        assert len(rows) == 6
        for row, (image, label) in zip(rows, images, strict=True):
            assert torch.equal(row["image"], image) and int(row["label"]) == label
    assert images.to_hf().num_shards == 2
    loader = DataLoader(images.to_hf().with_format("torch"), batch_size=2, num_workers=2)
    batches = torch.cat([batch["image"] for batch in loader])
    assert sorted(x.sum().item() for x in batches) == sorted(x.sum().item() for x, _ in images)
    with pytest.raises(ParameterError, match="transform or pil is set"):
        Images("noise-white", 4, 16, pil=True).to_hf()
    with pytest.raises(ParameterError, match="streaming = 'no': must be True or False"):
        images.to_hf(streaming="no")


def test_names_of_classes_are_of_what_labels_number():
    for of in ("captions", "classes"):
        source = sl.data.source("captioned", data="digits", per_class=20, number=20, told=of)
        images = Images(source, n=40, size=8)
        assert images.classes == list(source.texts() if of == "captions" else map(str, range(10)))
        real = sl.data.load("digits").first(20)
        digit = real.labels[image_set.class_balanced_order(real.labels)[:40]]
        named = [images.classes[label] for _, label in images]
        assert all(str(int(d)) in name.split() for d, name in zip(digit, named, strict=True))
