"""Real images: what is read is what was stored; what is missing or damaged is said."""

import io
import json
import os
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from synthlearn.core import files
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.core.image import resize
from synthlearn.data import archives, datasets, folders, image_set, pictures, real, stream
from synthlearn.data import source as make_source

needs_data = pytest.mark.skipif(
    not os.environ.get("SYNTHLEARN_DATA"), reason="SYNTHLEARN_DATA is not set"
)


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
        "file": "toy.tar.xz",
        "sha256": files.sha256(path),
        "size": [10, 10],
        "splits": {"train": {"n": 6}, "test": {"n": 2}},
        "classes": [{"id": "a", "name": "apple"}, {"id": "b", "name": "bear"}],
    }
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"toy": entry}))
    monkeypatch.setenv("SYNTHLEARN_DATA", str(tmp_path))
    return path


def test_an_archive_is_read_as_stored_and_then_from_its_cache(archive, runs):
    first = datasets.load("toy", "train")
    assert (
        first.images.shape == (6, 3, 10, 10)
        and first.labels.tolist() == [0, 0, 0, 1, 1, 1]
        and first.classes == ("apple", "bear")
    )
    assert first.images[4, :, 0, 0].tolist() == [40, 200, 7]
    again = datasets.load("toy", "train")
    assert (
        torch.equal(again.images, first.images)
        and again.sha256 == first.sha256
        and len(list((runs / "data").iterdir())) == 1
    )


def test_a_damaged_cache_is_read_again_from_the_archive(archive, runs):
    first = datasets.load("toy", "test")
    cache = next((runs / "data").iterdir())
    cache.write_bytes(cache.read_bytes()[:50])
    assert torch.equal(datasets.load("toy", "test").images, first.images)


def test_a_damaged_archive_is_named(archive):
    content = bytearray(archive.read_bytes())
    content[100] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(
        DataError, match=r"toy.tar.xz is damaged \(its SHA-256 is not the manifest's"
    ):
        datasets.load("toy", "train")


def test_a_missing_archive_and_an_unknown_set_say_what_to_put_where(archive, monkeypatch):
    archive.unlink()
    with pytest.raises(DataError, match=r"toy\.tar\.xz is missing; put the archive there"):
        datasets.load("toy", "train")
    with pytest.raises(
        DataError, match=r"data set 'cifar11' is not here .*must be one of digits, cifar10"
    ):
        datasets.load("cifar11", "train")
    monkeypatch.delenv("SYNTHLEARN_DATA")
    with pytest.raises(DataError, match="SYNTHLEARN_DATA is not set"):
        datasets.locate("tiny-imagenet-100")
    with pytest.raises(ParameterError, match="split = 'valid': must be 'train' or 'test'"):
        datasets.load("digits", "valid")


def test_digits_are_scikit_learns():
    train, test = datasets.load("digits", "train"), datasets.load("digits", "test")
    assert (
        (len(train), len(test)) == (1000, 797)
        and train.images.shape[1:] == (3, 8, 8)
        and int(train.images.max()) == 255
    )
    assert len(train.first(7)) == 70 and train.first(7).labels.bincount().tolist() == [7] * 10
    first = train.first(1)
    assert all(
        torch.equal(first.images[i], train.images[int((train.labels == c).nonzero()[0])])
        for i, c in enumerate(first.labels.tolist())
    )


@needs_data
def test_cifar10_20k_has_the_manifests_pixels():
    entry = archives.manifest()["cifar10-20k"]
    for split, n in (("train", 20_000), ("test", 10_000)):
        found = datasets.load("cifar10-20k", split)
        assert len(found) == n and found.sha256 == entry["pixel_sha256"][split]


def test_cifar10_20k_from_torchvisions_download_is_the_first_of_each_class(
    monkeypatch, no_data, runs
):
    from synthlearn.core import vision

    class Fake:
        def __init__(self, root, train, download):
            self.targets = (np.arange(50_000) * 7 % 10).tolist()
            self.data = np.zeros((50_000, 1, 1, 3), np.uint8)
            self.data[:, 0, 0, 0] = np.arange(50_000) % 251
            self.classes = [str(c) for c in range(10)]

    monkeypatch.setattr(vision.torchvision.datasets, "CIFAR10", Fake)
    found = datasets.load("cifar10-20k", "train")
    assert found.labels.bincount().tolist() == [2000] * 10
    assert found.images[:, 0, 0, 0].tolist() == [
        i % 251 for i in range(20_000)
    ]  # classes take turns: the first 20,000


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
    train, test = (
        datasets.load(str(image_folder), "train", 12),
        datasets.load(str(image_folder), "test", 12),
    )
    assert (
        train.images.shape == (6, 3, 12, 12)
        and test.labels.tolist() == [0, 0, 0, 1, 1, 1]
        and train.classes == ("cat", "dog")
    )
    assert int(train.images[0, 0].min()) == 250


def test_a_folder_of_pictures_is_a_source(image_folder, runs):
    source = make_source("folder", path=str(image_folder))
    assert source.spec()["files"] == 12 and stream.pool(source, 12, 16).shape == (12, 3, 16, 16)
    with pytest.raises(DataError, match="holds 12 pictures, 13 are asked for; lower n_images"):
        stream.pool(source, 13, 16)
    (image_folder / "train" / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.png: not a readable picture"):
        stream.pool(make_source("folder", path=str(image_folder)), 12, 16)
    with pytest.raises(DataError, match="no pictures there"):
        folders.Folder(image_folder / "nothing")


def test_a_folder_without_splits_is_no_set(tmp_path):
    with pytest.raises(DataError, match="has no train/ folder"):
        datasets.load(str(tmp_path), "train")


def test_real_images_take_turns_by_class():
    source = real.RealImages("digits")
    train = datasets.load("digits", "train")
    x = source.sample(range(20), 48)
    assert x.shape == (
        20,
        3,
        32,
        32,
    )  # scans of 8 px, enlarged to the least input; larger sets keep their side
    firsts = {picture.numpy().tobytes() for picture in resize(train.first(1).images, 32)}
    assert {p.numpy().tobytes() for p in x[:10]} == firsts
    with pytest.raises(DataError, match="holds 1000 training images, 1001 are asked for"):
        source.sample([1000], 48)


def paint(path, colour, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path, **how)


COLOURS = {"ape": (200, 0, 0), "bee": (0, 200, 0), "cow": (0, 0, 200)}


@pytest.fixture
def coloured(tmp_path):
    """Three classes whose pictures have the class's colour, two in train and one in test."""
    for split, n in (("train", 2), ("test", 1)):
        for c, colour in COLOURS.items():
            for i in range(n):
                paint(tmp_path / "set" / split / c / f"{i}.png", colour)
    return tmp_path / "set"


def classes_by_colour(found):
    """Class names as the pixels say them: what is right whatever the numbering."""
    return [list(COLOURS)[int(i)] for i in found.images[:, :, 0, 0].argmax(1)]


def named(found):
    return [found.classes[i] for i in found.labels.tolist()]


def test_train_numbers_the_classes_of_both_splits(coloured, capsys):
    shutil.rmtree(coloured / "test" / "ape")  # b and c would become classes 0 and 1
    for split in datasets.SPLITS:
        found = datasets.load(str(coloured), split, 8)
        assert found.classes == tuple(COLOURS) and named(found) == classes_by_colour(found)
    assert found.labels.tolist() == [1, 2]
    assert "has no pictures of 1 classes of train/: 'ape'" in capsys.readouterr().err
    image_set.agree(*datasets.both(str(coloured), 8))


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", "Empty", "aaa/nested"])
def test_hidden_and_empty_folders_are_no_classes(coloured, hidden):
    for split in datasets.SPLITS:
        (coloured / split / hidden).mkdir(parents=True)
    if hidden.startswith("."):
        paint(coloured / "train" / hidden / "0.png", (9, 9, 9))
        paint(coloured / "train" / "ape" / ".0.png", (9, 9, 9))
    for split in datasets.SPLITS:
        found = datasets.load(str(coloured), split, 8)
        assert found.classes == tuple(COLOURS) and named(found) == classes_by_colour(found)


def test_the_same_pictures_under_other_classes_are_another_set(coloured):
    """A record is of labels too: one of the old classes must not pass for one of the new."""
    before = datasets.load(str(coloured), "test", 32)
    for split in ("train", "test"):
        last = sorted((coloured / split).iterdir())[-1]
        last.rename(last.with_name(last.name + "z"))
    after = datasets.load(str(coloured), "test", 32)
    assert torch.equal(before.images, after.images) and before.sha256 != after.sha256


def test_unknown_test_classes_and_a_class_alone_are_refused(coloured):
    (coloured / "test" / "ape").rename(coloured / "test" / "Ape")
    with pytest.raises(
        DataError, match=r"class 'Ape' is none of the 3 classes of .*train: did you mean 'ape'"
    ):
        datasets.both(str(coloured), 8)
    (coloured / "test" / "Ape").rename(coloured / "test" / "zebra")
    with pytest.raises(DataError, match="class 'zebra' is none of the 3 classes"):
        datasets.load(str(coloured), "test", 8)
    for c in ("bee", "cow"):
        shutil.rmtree(coloured / "train" / c)
    with pytest.raises(DataError, match="holds one class, 'ape'; at least two"):
        datasets.load(str(coloured), "train", 8)


def test_two_sets_that_meet_must_have_the_same_classes():
    digits = datasets.load("digits")
    other = image_set.ImageSet("x", "test", digits.images, digits.labels, digits.classes[::-1], "")
    with pytest.raises(DataError, match="they come in another order"):
        image_set.agree(digits, other)
    fewer = image_set.ImageSet("x", "test", digits.images, digits.labels, digits.classes[:9], "")
    with pytest.raises(DataError, match="'9' is in one alone"):
        image_set.agree(digits, fewer)


def test_a_class_whose_files_are_all_left_out_is_an_error_and_others_are_counted(coloured, capsys):
    for name in ("notes.txt", "b.svg", "c.csv", "d.md"):
        (coloured / "train" / "ape" / name).write_text("x")
    (coloured / "train" / "stray.png").write_bytes(png((1, 2, 3)))
    assert len(datasets.load(str(coloured), "train", 8)) == 6
    said = capsys.readouterr().err
    assert "5 of its files left out" in said and "'ape/b.svg', 'ape/c.csv', 'ape/d.md', …" in said
    for path in (coloured / "train" / "bee").iterdir():
        path.rename(path.with_suffix(".foo"))
    with pytest.raises(DataError, match="class 'bee': none of its 2 files is a picture"):
        datasets.load(str(coloured), "train", 8)


def test_every_suffix_that_pillow_opens_is_read_in_either_case(coloured):
    where = coloured / "train" / "ape"
    names = ["a.JPG", "b.jfif", "c.pgm", "d.Tga", "e.webp", "f.avif", "g.jp2", "h.TIFF", "i.gif"]
    names = [n for n in names if Path(n).suffix.lower() in pictures.suffixes()]
    for name in names:
        kind = Image.registered_extensions()[Path(name).suffix.lower()]
        Image.new("L" if name == "c.pgm" else "RGB", (16, 16)).save(where / name, format=kind)
    assert len(names) >= 7 and len(datasets.load(str(coloured), "train", 8)) == 6 + len(names)
    assert not {".eps", ".ps"} & pictures.suffixes()  # Ghostscript would run them


def test_an_eps_by_the_name_of_a_png_is_not_run(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.eps")
    (tmp_path / "x.eps").rename(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.png: not a readable picture"):
        pictures.read_picture(tmp_path / "x.png", 8)


def test_linked_folders_are_followed_and_loops_end(coloured, tmp_path):
    for i in range(8):
        paint(tmp_path / "elsewhere" / f"{i}.png", COLOURS["ape"])
    (coloured / "train" / "ape" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere")
    (coloured / "train" / "bee" / "up").symlink_to("..")  # would make bees of all
    (coloured / "train" / "whole").symlink_to(".")  # would be a class of all
    found = datasets.load(str(coloured), "train", 8)
    assert found.classes == tuple(COLOURS) and found.labels.bincount().tolist() == [10, 2, 2]
    assert named(found) == classes_by_colour(found)
    assert len(folders.Folder(coloured / "train").files) == 14


def test_directories_and_dangling_links_by_the_name_of_pictures_are_no_pictures(
    coloured, capsys, runs
):
    (coloured / "train" / "ape" / "x.png").mkdir()
    (coloured / "train" / "ape" / "y.png").symlink_to("nowhere")
    (coloured / "train" / "ape" / "z.png").symlink_to("z.png")
    assert len(datasets.load(str(coloured), "train", 8)) == 6
    source = folders.Folder(coloured)
    assert len(source.files) == 9 and source.sample(range(9), 8).shape == (9, 3, 8, 8)
    assert "2 of its files left out" in capsys.readouterr().err


LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize(
    "mode", ["uint16 png", "uint16 x256 png", "uint16 tiff", "uint16 pgm", "float tiff"]
)
def test_greys_of_more_than_eight_bits_are_read_by_their_range(mode, tmp_path):
    path = tmp_path / f"x.{mode.split()[-1]}"
    if mode == "uint16 pgm":
        path.write_bytes(b"P5 16 16 65535\n" + (LEVELS.astype(">u2") * 257).astype(">u2").tobytes())
    elif mode == "float tiff":
        Image.fromarray(LEVELS.astype(np.float32) / 255).save(path)
    else:
        factor = 256 if "256" in mode else 257
        Image.fromarray(LEVELS.astype(np.uint16) * np.uint16(factor)).save(path)
    found = pictures.read_picture(path, 16)
    assert all(np.array_equal(channel, LEVELS) for channel in found.numpy())


@pytest.mark.parametrize(
    "values",
    [
        np.float32(LEVELS),
        np.where(LEVELS == 3, np.nan, 0.5).astype(np.float32),
        LEVELS.astype(np.int32) * 4096,
    ],
)
def test_greys_of_an_unknown_range_are_refused(values, tmp_path):
    Image.fromarray(values).save(tmp_path / "x.tiff")
    message = r"x\.tiff: not a readable picture \(greys of 32 bits .* save it with 8 or 16 bits"
    with pytest.raises(DataError, match=message):
        pictures.read_picture(tmp_path / "x.tiff", 16)


def test_a_flipped_bit_of_a_png_is_never_another_picture(tmp_path):
    path, random = tmp_path / "a.png", np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path)
    good, content = pictures.read_picture(path, 24), path.read_bytes()
    refused = 0
    for bit in random.integers(0, 8 * len(content), 60):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert torch.equal(pictures.read_picture(path, 24), good)
        except DataError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
def test_pictures_are_turned_as_their_exif_data_say(kind, orientation, tmp_path):
    picture = Image.fromarray(np.stack((LEVELS, LEVELS.T, 255 - LEVELS), 2)).resize((64, 64))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {2: (0,), 3: (3,), 4: (1,), 5: (5,), 6: (4,), 7: (6,), 8: (2,)}.get(
        orientation, ()
    )  # as Pillow numbers transpositions
    picture.save(
        tmp_path / f"x.{kind}", exif=exif, **({"lossless": True} if kind == "webp" else {})
    )
    expected = picture
    for method in turned:
        expected = expected.transpose(Image.Transpose(method))
    found = pictures.read_picture(tmp_path / f"x.{kind}", 64).permute(1, 2, 0).numpy()
    assert np.abs(found.astype(int) - np.asarray(expected)).mean() < (3 if kind == "jpg" else 1e-9)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("inverted", [False, True])
def test_greys_of_tiffs_are_turned_and_run_as_their_tags_say(
    dtype, orientation, inverted, tmp_path
):
    grey = np.arange(16 * 24, dtype=np.uint8).reshape(16, 24)
    levels = {
        np.uint8: grey,
        np.uint16: grey.astype(np.uint16) * 257,
        np.float32: (grey / 255).astype(np.float32),
    }[dtype]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(levels).save(tmp_path / "x.tiff", exif=exif)
    content = (tmp_path / "x.tiff").read_bytes()
    black_is_zero = struct.pack("<HHIH", 262, 3, 1, 1)
    assert content.count(black_is_zero) == 1
    if inverted:
        (tmp_path / "x.tiff").write_bytes(
            content.replace(black_is_zero, struct.pack("<HHIH", 262, 3, 1, 0))
        )
    picture = Image.fromarray(255 - grey if inverted else grey)
    picture.save(tmp_path / "x.png", exif=exif)
    found, plain = (
        pictures.read_picture(tmp_path / name, 16).int() for name in ("x.tiff", "x.png")
    )
    assert int((found - plain).abs().max()) <= (1 if dtype is np.float32 else 0)


def test_a_few_bytes_that_claim_many_pixels_are_refused(tmp_path):
    Image.new("1", (1, pictures.LONGEST_SIDE + 1)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="a side has at most 65,535"):
        pictures.read_picture(tmp_path / "x.png", 32)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB key", "grey of 16 bits"])
def test_what_is_transparent_lies_on_white(mode, tmp_path):
    path, seen = tmp_path / "x.png", []
    for hidden in (10, 200):  # the colour under the transparent part must not matter
        grey = np.full((16, 16), 90, np.uint8)
        grey[:8] = hidden
        alpha = np.where(np.arange(16)[:, None] < 8, 0, 255) * np.ones((1, 16), np.uint8)
        if mode == "grey of 16 bits":
            Image.fromarray(grey.astype(np.uint16) * np.uint16(257)).save(
                path, transparency=hidden * 257
            )
        elif mode == "RGB key":
            Image.fromarray(np.repeat(grey[..., None], 3, 2)).save(path, transparency=(hidden,) * 3)
        elif mode == "P":
            Image.fromarray(grey).convert("P").save(path, transparency=hidden)
        else:
            picture = Image.merge(
                "LA", (Image.fromarray(grey), Image.fromarray(alpha.astype(np.uint8)))
            )
            picture.convert(mode).save(path)
        seen.append(pictures.read_picture(path, 16))
    assert (
        torch.equal(*seen)
        and int(seen[0][:, :8].min()) == 255
        and int(seen[0][:, 8:].max()) == int(seen[0][:, 8:].min()) == 90
    )


def test_a_set_is_called_by_a_name_or_a_folder(tmp_path, no_data):
    for name in ("digits ", "x" * 5000, "a\0b", str(tmp_path / "nothing")):
        for call in (datasets.locate, datasets.load):
            with pytest.raises(DataError, match=r"data set .* is not here"):
                call(name)
    for call in (
        datasets.locate,
        datasets.load,
        lambda name: real.RealImages(name).spec(),
        folders.Folder,
    ):
        with pytest.raises(ParameterError, match="= '': must be"):
            call("")


@pytest.mark.parametrize("index", [-1, 0.5, float("nan"), "1", None])
@pytest.mark.parametrize("source", ["real", "folder", "folder set"])
def test_indices_are_whole_and_not_negative(source, index, coloured):
    source = {
        "real": real.RealImages("digits"),
        "folder": folders.Folder(coloured),
        "folder set": real.RealImages(str(coloured)),
    }[source]
    with pytest.raises(ParameterError, match=r"must be (a )?whole number"):
        source.sample([0, index], 8)
    if source.name.startswith("real"):
        with pytest.raises(ParameterError, match=r"must be (a )?whole number"):
            source.labels([0, index])
    assert torch.equal(source.sample(torch.tensor([1, 0]), 32), source.sample([np.int64(1), 0], 32))


def test_a_folders_pictures_are_read_once_however_many_parts_a_pool_has(
    coloured, runs, monkeypatch
):
    for i in range(20):
        paint(coloured / "train" / "ape" / f"x{i}.png", (i, 0, 0))
    read = []
    monkeypatch.setattr(
        pictures,
        "read_picture",
        lambda path, size: read.append(path) or torch.zeros(3, size, size, dtype=torch.uint8),
    )
    monkeypatch.setattr(stream, "CHUNK", 4)
    for kind, path, n in (("real", coloured, 26), ("folder", coloured, 29)):
        read.clear()
        source = make_source(
            kind, **{"folder": {"path": str(path)}, "real": {"data": str(path)}}[kind]
        )
        stream.pool(source, n, 8)
        assert (
            len(read) == n + 1 and len(set(read)) == n
        )  # the first is read alone too: it says how large pictures are


def test_real_images_of_a_folder_are_those_of_the_set(coloured, runs):
    source, train = real.RealImages(str(coloured)), datasets.load(str(coloured), "train", 8)
    order = image_set.class_balanced_order(train.labels)
    assert torch.equal(source.sample(range(6), 8), train.images[order])
    assert torch.equal(source.labels(range(6)), train.labels[order]) and source.number() == 6
    before = source.spec()
    paint(coloured / "train" / "ape" / "0.png", (1, 2, 3))
    assert real.RealImages(str(coloured)).spec() != before
    with pytest.raises(DataError, match="holds 6 training images, 7 are asked for; lower n_images"):
        source.sample([6], 8)


def test_a_sample_of_a_set_has_every_class_in_its_share():
    labels = torch.arange(4).repeat_interleave(25)
    images = (
        torch.arange(100, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 1, 1).contiguous()
    )
    lying = image_set.from_tensor("x", "test", images, labels, "abcd")
    for order in (
        torch.arange(100),
        torch.arange(100).view(4, 25)[[2, 0, 3, 1]].flatten(),
    ):  # by class, in any order of classes
        found = image_set.sample(
            image_set.from_tensor("x", "test", images[order], labels[order], "abcd"), 40
        )
        assert (
            found.labels[:20].bincount().tolist()
            == found.labels[20:].bincount().tolist()
            == [5] * 4
        )
        assert torch.equal(found.images[:, 0, 0, 0].long() // 25, found.labels)
    assert len(image_set.sample(lying, 1000)) == 100
    digits = datasets.load("digits", "test")
    assert torch.equal(image_set.sample(digits, 50).images, digits.images[:50])  # mixed: as it is


@pytest.mark.parametrize("classes", [1, 3, 40])
def test_a_turn_counts_the_images_of_a_class_before(classes):
    labels = torch.from_numpy(np.random.default_rng(classes).integers(0, classes, 60))
    assert image_set.rank_within_class(labels).tolist() == [
        int((labels[:i] == c).sum()) for i, c in enumerate(labels)
    ]


def test_a_number_per_class_is_not_negative_and_may_be_any_size():
    digits = datasets.load("digits")
    assert len(digits.first(10**30)) == len(digits.first(0)) == 1000
    with pytest.raises(ParameterError, match="per_class = -3: must be 0"):
        digits.first(-3)


def test_a_folders_classes_that_are_not_utf8_are_named(coloured):
    (coloured / "train" / "ape").rename(os.fsdecode(os.fsencode(coloured / "train") + b"/\xe9"))
    with pytest.raises(DataError, match=r"the name '\\udce9' is not UTF-8; rename it"):
        datasets.load(str(coloured), "train", 8)


def test_a_data_cache_that_cannot_be_written_only_costs_time(archive, runs, capsys):
    runs.mkdir()
    (runs / "data").write_text("in the way")
    assert len(datasets.load("toy", "train")) == 6
    assert "toy: read from its archive every time (cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other", "older"])
def test_a_cache_that_does_not_hold_is_made_again(archive, runs, damage):
    first = datasets.load("toy", "train")
    (cache,) = (runs / "data").iterdir()
    whole = cache.read_bytes()
    if damage == "older":  # no checksum, no identity
        import safetensors.torch

        safetensors.torch.save_file(
            {"images": first.images, "labels": first.labels},
            cache,
            {"synthlearn": json.dumps({"classes": [], "sha256": "0"})},
        )
    elif damage == "other":  # a whole file of another set
        datasets.load("toy", "test")
        shutil.copy(next(p for p in (runs / "data").iterdir() if p != cache), cache)
    else:
        cache.write_bytes(
            {
                "flip": whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:],
                "cut": whole[:-9],
                "empty": b"",
            }[damage]
        )
    again = datasets.load("toy", "train")
    assert (
        torch.equal(again.images, first.images)
        and again.sha256 == first.sha256
        and cache.read_bytes() == whole
    )


TOY = {
    "file": "toy.tar.xz",
    "sha256": "0" * 64,
    "size": [10, 10],
    "splits": {"train": {"n": 6}},
    "classes": [{"id": "a", "name": "a"}, {"id": "b", "name": "b"}],
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"[]", "not an object"),
        (b'"toy"', "not an object"),
        ({"toy": []}, "set 'toy': must be an object"),
        ({"toy": {}}, "file = None: must be the archive's name"),
        ({"../../evil": TOY}, "set '../../evil': a name must be of letters"),
        ({"x" * 300: TOY}, "at most 200 bytes"),
        ({"toy": {**TOY, "file": "../toy.tar.xz"}}, "must be a short name inside the data folder"),
        ({"toy": {**TOY, "file": "/etc/passwd"}}, "must be a short name inside the data folder"),
        ({"toy": {**TOY, "file": "x" * 300}}, "must be a short name inside the data folder"),
        ({"toy": {**TOY, "sha256": 3}}, "sha256 = '3': must be 64 hexadecimal digits"),
        ({"toy": {**TOY, "size": 10}}, "size = 10: must be width and height"),
        ({"toy": {**TOY, "size": [0, 10]}}, "must be width and height"),
        ({"toy": {**TOY, "splits": {"train": 6}}}, "splits: must say n"),
        ({"toy": {**TOY, "splits": {"train": {"n": True}}}}, "splits: must say n"),
        ({"toy": {**TOY, "classes": ["a", "b"]}}, "classes: must be a list of objects"),
        ({"toy": {**TOY, "classes": TOY["classes"][:1]}}, "classes: must be two or more"),
        ({"toy": {**TOY, "classes": TOY["classes"][:1] * 2}}, "classes: must be two or more"),
    ],
)
def test_a_wrong_manifest_is_refused_in_one_line(content, message, tmp_path, monkeypatch, runs):
    (tmp_path / "MANIFEST.json").write_bytes(
        content if isinstance(content, bytes) else json.dumps(content).encode()
    )
    monkeypatch.setenv("SYNTHLEARN_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        datasets.load("toy")
    assert (
        message in str(caught.value)
        and "\n" not in str(caught.value)
        and "MANIFEST.json" in str(caught.value)
    )
    datasets.locate("digits")  # needs no manifest
    assert len(datasets.load("digits")) == 1000


def tar_of(path, members, compression="xz"):
    with tarfile.open(path, f"w:{compression}") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content or b""))


GOOD = [(f"train/{c}/{i}.png", png((i, 0, 0))) for c in "ab" for i in range(3)]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("0.png", png((0, 0, 0)))], "'0.png': must be a file SPLIT/CLASS/FILE"),
        ([("train/../../x", png((0, 0, 0)))], "must be a file SPLIT/CLASS/FILE"),
        ([("/train/a/0.png", png((0, 0, 0)))], "must be a file SPLIT/CLASS/FILE"),
        ([("train/a/x.png", None)], "must be a file SPLIT/CLASS/FILE"),
        ([("train/z/0.png", png((0, 0, 0)))], "'train/z/0.png': its class is not in the manifest"),
        (
            [*GOOD[1:], ("train/b/9.png", png((0, 0, 0), 12))],
            "has 12 × 12 pixels, its manifest says 10 × 10",
        ),
        ([*GOOD[1:], ("train/b/9.png", b"no picture")], "is not such an archive"),
        ([*GOOD[1:], ("train/b/9.png", png((0, 0, 0))[:45])], "is not such an archive"),
        (GOOD[1:], "holds 5 train images, its manifest says 6"),
        ([], "holds 0 train images, its manifest says 6"),
        ("cut", "is not such an archive"),
        ("text", "is not such an archive"),
    ],
)
def test_a_wrong_archive_is_refused_in_one_line(members, message, tmp_path, monkeypatch, runs):
    path = tmp_path / "toy.tar.xz"
    tar_of(path, members if isinstance(members, list) else GOOD)
    if members == "cut":
        path.write_bytes(path.read_bytes()[:150])
    elif members == "text":
        path.write_text("no archive")
    check_refused(tmp_path, monkeypatch, {**TOY, "sha256": files.sha256(path)}, message)


def check_refused(folder, monkeypatch, entry, message):
    (folder / "MANIFEST.json").write_text(json.dumps({"toy": entry}))
    monkeypatch.setenv("SYNTHLEARN_DATA", str(folder))
    with pytest.raises(DataError) as caught:
        datasets.load("toy")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (files.runs() / "data").exists()


def test_folders_in_a_tar_and_a_leading_dot_are_no_fault(tmp_path, monkeypatch, runs):
    for name, content in GOOD:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    with tarfile.open(tmp_path / "toy.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "in", ".")
    (tmp_path / "MANIFEST.json").write_text(
        json.dumps({"toy": {**TOY, "sha256": files.sha256(tmp_path / "toy.tar.xz")}})
    )
    monkeypatch.setenv("SYNTHLEARN_DATA", str(tmp_path))
    assert len(datasets.load("toy")) == 6


def page(tiles, side=10):
    content = io.BytesIO()
    Image.new("RGB", (side * tiles, side)).save(content, "WEBP", lossless=True)
    return content.getvalue()


@pytest.mark.parametrize(
    ("labels", "tiles", "message"),
    [
        (np.array([0, 0, 0, 1, 1, 2]), 6, "labels from 0 to 2, its manifest says 2 classes"),
        (np.array([0, 0, 0, 1, 1, -1]), 6, "labels from -1 to 1"),
        (np.zeros(5, int), 6, "holds int64 (5,), its manifest says 6 whole numbers"),
        (np.zeros((6, 1), int), 6, "holds int64 (6, 1)"),
        (np.zeros(6), 6, "holds float64 (6,)"),
        (np.array([None] * 6), 6, "is not such an archive"),  # would be unpickled
        (np.array([0, 0, 0, 1, 1, 1]), 5, "holds 5 train images, its manifest says 6"),
        (None, 6, "is not such an archive"),
        ("zip", 6, "is not such an archive"),
    ],
)
def test_wrong_pages_are_refused_in_one_line(labels, tiles, message, tmp_path, monkeypatch, runs):
    path = tmp_path / "toy.zip"
    with zipfile.ZipFile(path, "w") as archive:
        if isinstance(labels, np.ndarray):
            content = io.BytesIO()
            np.save(content, labels)
            archive.writestr("train/labels.npy", content.getvalue())
        archive.writestr("train/0.webp", page(tiles))
    if isinstance(labels, str):
        path.write_bytes(b"PK no zip")
    check_refused(
        tmp_path, monkeypatch, {**TOY, "file": "toy.zip", "sha256": files.sha256(path)}, message
    )
