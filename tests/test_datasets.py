"""Real images: what is read is what was stored; what is missing or damaged is said."""

import io
import json
import os
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from synthlearn import datasets, files, stream
from synthlearn.errors import DataError, ParameterError
from synthlearn.image import resize

needs_data = pytest.mark.skipif(not os.environ.get("SYNTHLEARN_DATA"), reason="SYNTHLEARN_DATA is not set")


def png(colour, size=10):
    stream_ = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(stream_, "PNG")
    return stream_.getvalue()


@pytest.fixture
def archive(tmp_path, monkeypatch, runs):
    """A data folder with one tar of 2 classes × 3 train and 1 test pictures."""
    path = tmp_path / "toy.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for split, count in (("train", 3), ("test", 1)):
            for c in ("a", "b"):
                for i in range(count):
                    content = png((i * 40, 200 * (c == "b"), 7))
                    entry = tarfile.TarInfo(f"{split}/{c}/{i}.png")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    entry = {
        "file": "toy.tar.xz", "sha256": files.sha256(path), "size": [10, 10], "splits": {"train": {"n": 6}, "test": {"n": 2}},
        "classes": [{"id": "a", "name": "apple"}, {"id": "b", "name": "bear"}],
    }  # fmt: skip
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"toy": entry}))
    monkeypatch.setenv("SYNTHLEARN_DATA", str(tmp_path))
    return path


def test_an_archive_is_read_as_stored_and_then_from_its_cache(archive, runs):
    first = datasets.load("toy", "train")
    assert first.images.shape == (6, 3, 10, 10) and first.labels.tolist() == [0, 0, 0, 1, 1, 1] and first.classes == ("apple", "bear")
    assert first.images[4, :, 0, 0].tolist() == [40, 200, 7]
    again = datasets.load("toy", "train")
    assert torch.equal(again.images, first.images) and again.sha256 == first.sha256 and len(list((runs / "data").iterdir())) == 1


def test_a_damaged_cache_is_read_again_from_the_archive(archive, runs):
    first = datasets.load("toy", "test")
    cache = next((runs / "data").iterdir())
    cache.write_bytes(cache.read_bytes()[:50])
    assert torch.equal(datasets.load("toy", "test").images, first.images)


def test_a_damaged_archive_is_named(archive):
    content = bytearray(archive.read_bytes())
    content[100] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"toy.tar.xz is damaged \(its SHA-256 is not the manifest's"):
        datasets.load("toy", "train")


def test_a_missing_archive_and_an_unknown_set_say_what_to_put_where(archive, monkeypatch):
    archive.unlink()
    with pytest.raises(DataError, match=r"toy\.tar\.xz is missing; put the archive there"):
        datasets.load("toy", "train")
    with pytest.raises(DataError, match=r"data set 'cifar11' is not here .*must be one of digits, cifar10"):
        datasets.load("cifar11", "train")
    monkeypatch.delenv("SYNTHLEARN_DATA")
    with pytest.raises(DataError, match="SYNTHLEARN_DATA is not set"):
        datasets.locate("tiny-imagenet-100")
    with pytest.raises(ParameterError, match="split = 'valid': must be 'train' or 'test'"):
        datasets.load("digits", "valid")


def test_digits_are_scikit_learns():
    train, test = datasets.load("digits", "train"), datasets.load("digits", "test")
    assert (len(train), len(test)) == (1000, 797) and train.images.shape[1:] == (3, 8, 8) and int(train.images.max()) == 255
    assert len(train.first(7)) == 70 and train.first(7).labels.bincount().tolist() == [7] * 10
    first = train.first(1)
    assert all(torch.equal(first.images[i], train.images[int((train.labels == c).nonzero()[0])]) for i, c in enumerate(first.labels.tolist()))


@needs_data
def test_cifar10_20k_has_the_manifests_pixels():
    entry = datasets.manifest()["cifar10-20k"]
    for split, n in (("train", 20_000), ("test", 10_000)):
        found = datasets.load("cifar10-20k", split)
        assert len(found) == n and found.sha256 == entry["pixel_sha256"][split]


def test_cifar10_20k_from_torchvisions_download_is_the_first_of_each_class(monkeypatch, no_data, runs):
    from synthlearn import vision

    class Fake:
        def __init__(self, root, train, download):
            self.targets = (np.arange(50_000) * 7 % 10).tolist()
            self.data = np.zeros((50_000, 1, 1, 3), np.uint8)
            self.data[:, 0, 0, 0] = np.arange(50_000) % 251
            self.classes = [str(c) for c in range(10)]

    monkeypatch.setattr(vision.torchvision.datasets, "CIFAR10", Fake)
    found = datasets.load("cifar10-20k", "train")
    assert found.labels.bincount().tolist() == [2000] * 10
    assert found.images[:, 0, 0, 0].tolist() == [i % 251 for i in range(20_000)]  # classes take turns: the first 20,000


@pytest.fixture
def image_folder(tmp_path):
    for split in ("train", "val"):
        for c, colour in (("cat", (250, 0, 0)), ("dog", (0, 0, 250))):
            where = tmp_path / "set" / split / c
            where.mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (20 + 4 * i, 16), colour).save(where / f"{i}.png")
    return tmp_path / "set"


def test_an_image_folder_with_val_is_a_set(image_folder):
    train, test = datasets.load(str(image_folder), "train", 12), datasets.load(str(image_folder), "test", 12)
    assert train.images.shape == (6, 3, 12, 12) and test.labels.tolist() == [0, 0, 0, 1, 1, 1] and train.classes == ("cat", "dog")
    assert int(train.images[0, 0].min()) == 250


def test_a_folder_of_pictures_is_a_source(image_folder, runs):
    source = stream.source("folder", str(image_folder))
    assert source.spec()["files"] == 12 and stream.pool(source, 12, 16).shape == (12, 3, 16, 16)
    with pytest.raises(DataError, match="holds 12 pictures, 13 are asked for; lower n_images"):
        stream.pool(source, 13, 16)
    (image_folder / "train" / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.png: not a readable picture"):
        stream.pool(stream.source("folder", str(image_folder)), 12, 16)
    with pytest.raises(DataError, match="no pictures there"):
        datasets.Folder(image_folder / "nothing")


def test_a_folder_without_splits_is_no_set(tmp_path):
    with pytest.raises(DataError, match="has no train/ folder"):
        datasets.load(str(tmp_path), "train")


def test_real_images_take_turns_by_class():
    source = datasets.RealImages("digits")
    train = datasets.load("digits", "train")
    x = source.sample(range(20), 48)
    assert x.shape == (20, 3, 32, 32)  # scans of 8 px, enlarged to the least input; larger sets keep their side
    firsts = {picture.numpy().tobytes() for picture in resize(train.first(1).images, 32)}
    assert {p.numpy().tobytes() for p in x[:10]} == firsts
    with pytest.raises(DataError, match="holds 1000 training images, 1001 are asked for"):
        source.sample([1000], 48)
