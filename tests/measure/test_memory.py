"""The visual memory: neighbours by a naive loop, removal that leaves no trace, files that are whole
or refused."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from synthlearn import __main__ as command
from synthlearn.core import files
from synthlearn.core.errors import CheckpointError, DataError, ParameterError
from synthlearn.learn import encoders
from synthlearn.measure import memory

MADE = {"encoder": "none", "layer": "fc6"}


def entries(n, d=16, seed=0):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    classes = [f"class {i % 4}" for i in range(n)]
    return (
        [f"{c}/{i}.png" for i, c in enumerate(classes)],
        classes,
        torch.nn.functional.normalize(x),
    )


def filled(names, classes, embeddings):
    held = memory.Memory(MADE, embeddings.shape[1])
    held.add(names, classes, embeddings)
    return held


def test_influential_entries_are_those_whose_removal_changes_a_decision():
    names, classes, x = entries(60)
    held, asked = filled(names, classes, x), entries(9, seed=2)[2]
    usual = held.classify(asked, 5)
    naive = set()
    for i in range(60):
        others = [j for j in range(60) if j != i]
        if (
            filled([names[j] for j in others], [classes[j] for j in others], x[others]).classify(
                asked, 5
            )
            != usual
        ):
            naive.add(names[i])
    assert held.influential(asked, 5) == naive and 0 < len(naive) < 40


def state(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_neighbours_and_votes_follow_a_naive_loop():
    names, classes, x = entries(200)
    held, asked = filled(names, classes, x), entries(7, seed=1)[2]
    for query, found, decided in zip(
        asked, held.query(asked, 5), held.classify(asked, 5), strict=True
    ):
        cosines = sorted(
            ((float(query @ e), name, c) for e, name, c in zip(x, names, classes, strict=True)),
            reverse=True,
        )[:5]
        assert [name for name, _, _ in found] == [name for _, name, _ in cosines]
        votes = {}
        for cosine, _, c in cosines:
            votes[c] = votes.get(c, 0) + np.exp(cosine / 0.07)
        assert decided == max(votes, key=votes.get)


@pytest.mark.parametrize(
    ("n", "k"), [(1, 1), (64, 64), (65, 1), (700, 20), (700, 700), (1000, 999)]
)
def test_the_kth_largest_is_that_of_a_full_sort(n, k):
    x = (
        torch.randint(0, 50, (6, n), generator=torch.Generator().manual_seed(n)).float() - 60
    )  # many equal ones, none above 0
    assert torch.equal(memory._kth_largest(x, k)[:, 0], x.sort(1, descending=True).values[:, k - 1])


def test_equal_neighbours_are_taken_by_name_whatever_their_order():
    x = torch.nn.functional.normalize(torch.ones(6, 4))
    names, classes = [f"{c}/{i}" for i, c in enumerate("abcabc")], list("abcabc")
    for order in (range(6), reversed(range(6))):
        order = list(order)
        held = filled([names[i] for i in order], [classes[i] for i in order], x)
        assert [name for name, _, _ in held.query(x[:1], 3)[0]] == ["a/0", "a/3", "b/1"]


@pytest.mark.parametrize("gone", ["one", "some", "class"])
def test_a_removal_leaves_what_never_having_added_would(gone, tmp_path):
    names, classes, x = entries(2000)
    held = filled(names, classes, x)
    if gone == "class":
        held.remove_class("class 2")
        kept = [i for i, c in enumerate(classes) if c != "class 2"]
    else:
        chosen = names[700:701] if gone == "one" else names[::7]
        held.remove(chosen)
        kept = [i for i, name in enumerate(names) if name not in set(chosen)]
    fresh = filled([names[i] for i in kept], [classes[i] for i in kept], x[kept])
    held.save(tmp_path / "removed")
    fresh.save(tmp_path / "fresh")
    assert state(tmp_path / "removed") == state(tmp_path / "fresh")
    asked = entries(20, seed=2)[2]
    a, b = memory.Memory.load(tmp_path / "removed"), memory.Memory.load(tmp_path / "fresh")
    assert a.query(asked) == b.query(asked) and a.classify(asked) == b.classify(asked)
    assert held.classify(asked) == a.classify(asked)
    for leftover in held._table[len(held) :][: len(names) - len(held)]:
        assert not bool(leftover.any())  # not even in the part of the table that is not used


def test_what_was_removed_can_be_added_again(tmp_path):
    names, classes, x = entries(50)
    held = filled(names, classes, x)
    held.save(tmp_path / "before")
    held.remove(names[10:20])
    held.add(names[10:20], classes[10:20], x[10:20])
    held.save(tmp_path / "after")
    assert state(tmp_path / "before") == state(tmp_path / "after")


def test_an_embedding_does_not_depend_on_its_company():
    encoder = encoders.load("random")
    images = torch.randint(
        0, 256, (150, 3, 35, 35), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    together = memory.embed(encoder, images, "fc6")
    order = torch.randperm(150, generator=torch.Generator().manual_seed(1))
    assert torch.equal(memory.embed(encoder, images[order], "fc6"), together[order])
    assert torch.equal(memory.embed(encoder, images[70:71], "fc6"), together[70:71])
    assert torch.allclose(together.norm(dim=1), torch.ones(150))


def test_wrong_entries_change_nothing():
    names, classes, x = entries(8)
    held = filled(names, classes, x)
    for call, message in (
        (
            lambda: held.add(names[:1], classes[:1], x[:1]),
            r"class 0/0.png: is in the memory already",
        ),
        (lambda: held.add(["a", "a"], ["a", "a"], x[:2]), "a: is in the memory already"),
        (
            lambda: held.add(["a"], ["a"], x[:2]),
            r"1 names, 1 classes, embeddings \(2, 16\): must agree",
        ),
        (lambda: held.remove([names[0], "nobody"]), "nobody: not in the memory of 8 entries"),
        (
            lambda: held.remove_class("class 9"),
            "class 'class 9': not in the memory; classes: class 0, class 1",
        ),
        (lambda: memory.Memory(MADE, 16).query(x[:1]), "the memory is empty: add images first"),
    ):
        with pytest.raises(ParameterError, match=message):
            call()
    assert held.names == names and torch.equal(held.embeddings, x)


def test_damaged_and_foreign_folders_are_refused(tmp_path):
    filled(*entries(8)).save(tmp_path / "held")
    with pytest.raises(CheckpointError, match="no memory there; make one with"):
        memory.Memory.load(tmp_path / "nothing")
    index = json.loads((tmp_path / "held" / "index.json").read_text())
    wrong = [
        {"schema": 9},
        {"names": []},
        {"vectors": "../x"},
        {"names": 3},
        {"names": [index["names"][0]] * 8},
        {"classes": [1] * 8},
        {"vectors": 3},
    ]
    for change in (
        *wrong,
        {"made_by": []},
        {"made_by": {}},
        {"made_by": {"encoder": 3, "layer": "fc6"}},
        {"made_by": {"encoder": "x", "layer": None}},
    ):
        (tmp_path / "held" / "index.json").write_text(json.dumps({**index, **change}))
        with pytest.raises(CheckpointError, match="not the index of a memory"):
            memory.Memory.load(tmp_path / "held")
    for content in (b"{", b"", b"[]", b"\xff", b"[" * 100_000):
        (tmp_path / "held" / "index.json").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"index\.json: .*; build it again"):
            memory.Memory.load(tmp_path / "held")
    for change in (
        {"names": ["x", *index["names"][1:]]},
        {"classes": ["x", *index["classes"][1:]]},
        {"made_by": {"encoder": "y", "layer": "fc6"}},
    ):
        (tmp_path / "held" / "index.json").write_text(json.dumps({**index, **change}))
        with pytest.raises(CheckpointError, match="damaged, its names and classes are not those"):
            memory.Memory.load(tmp_path / "held")
    (tmp_path / "held" / "index.json").write_text(json.dumps({**index, "id": "0"}))
    with pytest.raises(CheckpointError, match="do not belong together"):
        memory.Memory.load(tmp_path / "held")
    files.save_tensors(
        tmp_path / "held" / index["vectors"], {"a": torch.zeros(1)}, {"kind": "pool"}
    )
    (tmp_path / "held" / "index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="do not belong together"):
        memory.Memory.load(tmp_path / "held")


def test_a_save_that_fails_leaves_the_old_memory(tmp_path, monkeypatch):
    held = filled(*entries(8))
    held.save(tmp_path)
    before = state(tmp_path)
    held.remove(held.names[:2])
    monkeypatch.setattr(files, "write_json", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        held.save(tmp_path)
    assert before.items() <= state(tmp_path).items()
    assert len(memory.Memory.load(tmp_path)) == 8


def test_a_build_that_fails_leaves_no_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "images" / "a").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "images" / "a" / "0.png")

    def full(*_):
        raise DataError("cannot write: No space left on device")

    build = ["memory", "build", "--encoder", "random", "--images", f"{tmp_path / 'images'}"]
    with monkeypatch.context() as disk:
        disk.setattr(files, "save_tensors", full)
        assert command.main([*build, "--memory", f"{tmp_path / 'held'}"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_the_command_builds_adds_removes_and_asks(tmp_path, capsys):
    random = np.random.default_rng(0)
    for folder, names in (("first", "ab"), ("second", "c")):
        for level, name in enumerate(names):
            (tmp_path / folder / name).mkdir(parents=True)
            for i in range(3):
                pixels = random.integers(0, 60, (40, 40, 3)) + 60 * (level + len(folder) - 5)
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / name / f"{i}.png")
    held, encoder = str(tmp_path / "memory"), ("--encoder", "random")

    def call(action, *arguments):
        return command.main(["memory", action, "--memory", held, *map(str, arguments)])

    assert (
        call("build", *encoder, "--images", tmp_path / "first") == 0
        and "6 images of 2 classes" in capsys.readouterr().out
    )
    before = state(tmp_path / "memory")
    assert (
        call("add", *encoder, "--images", tmp_path / "second") == 0
        and "9 images of 3 classes" in capsys.readouterr().out
    )
    assert (
        call("query", *encoder, "--image", tmp_path / "second" / "c" / "0.png", "--neighbours", 3)
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["class"] == "c" and answer["neighbours"][0] == ["c/0.png", 1.0]
    assert (
        call(
            "query",
            *encoder,
            "--images",
            tmp_path / "second",
            "--image",
            tmp_path / "first" / "a" / "1.png",
            "--neighbours",
            1,
        )
        == 0
    )
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [a["class"] for a in answers] == ["a", "c", "c", "c"] and answers[3]["neighbours"] == [
        ["c/2.png", 1.0]
    ]
    assert call("remove", "--class", "c") == 0
    assert state(tmp_path / "memory") == before
    (tmp_path / "second" / "c" / "bad.png").write_bytes(b"no picture")
    capsys.readouterr()
    for arguments, status, message in (
        (("add", *encoder, "--images", tmp_path / "second"), 1, "bad.png: not a readable picture"),
        (
            ("add", *encoder, "--images", tmp_path / "none"),
            1,
            "none: no such folder; pictures must lie in class folders",
        ),
        (
            ("build", *encoder, "--images", tmp_path / "first"),
            2,
            "memory: holds a memory already; add to it with `memory add`",
        ),
        (("add", "--images", tmp_path / "first"), 2, "memory add: needs --encoder"),
        (("query", *encoder), 2, "memory query: needs --image or --images"),
        (("query", *encoder, "--images", tmp_path / "none"), 1, "no pictures there"),
        (("remove",), 2, "memory remove: needs --class or --name"),
        (("remove", "--name", "a/9.png"), 2, "a/9.png: not in the memory of 6 entries"),
        (
            ("query", *encoder, "--image", tmp_path / "first/a/0.png", "--neighbours", 0),
            2,
            "--neighbours '0': must be a whole number from 1",
        ),
    ):
        assert call(*arguments) == status
        assert message in capsys.readouterr().err
        assert state(tmp_path / "memory") == before
    assert call("build", *encoder, "--images", tmp_path / "first", "--force") == 0
    assert state(tmp_path / "memory") == before
    encoders.save(tmp_path / "other.safetensors", encoders.build("SmallAlexNet", 1 / 8, 32, 1), {})
    assert (
        call(
            "query",
            "--encoder",
            tmp_path / "other.safetensors",
            "--image",
            tmp_path / "first/a/0.png",
        )
        == 2
    )
    assert "not the one that" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "memory")
    for arguments in (
        ("query", *encoder, "--image", tmp_path / "first/a/0.png"),
        ("add", *encoder, "--images", tmp_path / "first"),
        ("remove", "--class", "c"),
    ):
        assert call(*arguments) == 1 and "no memory there" in capsys.readouterr().err
    assert (
        call("build", *encoder, "--images", tmp_path / "second") == 1
        and "bad.png" in capsys.readouterr().err
    )
    assert not (tmp_path / "memory").exists()


def test_writers_at_once_lose_nothing_and_a_reader_sees_whole_states(tmp_path):
    names, classes, x = entries(80)
    filled(names[:8], classes[:8], x[:8]).save(tmp_path)
    ended = threading.Event()

    def add(part):
        with memory.changing(tmp_path) as held:
            held.add(names[part], classes[part], x[part])

    def watch():
        sizes = []
        while not ended.is_set():
            sizes.append(len(memory.Memory.load(tmp_path)))
        return sizes

    with ThreadPoolExecutor(9) as workers:
        reader = workers.submit(watch)
        for done in [workers.submit(add, slice(i, i + 8)) for i in range(8, 80, 8)]:
            done.result()
        ended.set()
        seen = reader.result()
    assert sorted(memory.Memory.load(tmp_path).names) == sorted(names)
    assert seen == sorted(seen) and all(size % 8 == 0 for size in seen)
    filled(names, classes, x).save(tmp_path / "fresh")
    assert (
        state(tmp_path / "fresh").items()
        <= {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}.items()
    )
    assert len([p for p in tmp_path.iterdir() if p.is_file()]) == 2  # neither old vectors nor locks


def test_an_error_while_changing_leaves_the_memory(tmp_path):
    names, classes, x = entries(8)
    filled(names, classes, x).save(tmp_path)
    (tmp_path / "vectors-mine.safetensors").write_text("a user's own")
    filled(names, classes, x).save(tmp_path)
    before = state(tmp_path)
    assert len(before) == 3
    with (
        pytest.raises(ParameterError, match="nobody: not in the memory"),
        memory.changing(tmp_path) as held,
    ):
        held.remove([names[0]])
        held.remove(["nobody"])
    assert state(tmp_path) == before
    with pytest.raises(ParameterError, match="holds a memory already"):
        filled(names[:2], classes[:2], x[:2]).save(tmp_path, replace=False)
    assert state(tmp_path) == before


@pytest.mark.parametrize("file", ["index.json", "vectors"])
def test_no_flipped_bit_of_a_memory_is_used(file, tmp_path):
    names, classes, x = entries(12)
    filled(names, classes, x).save(tmp_path)
    path = next(p for p in tmp_path.iterdir() if p.name.startswith(file))
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(whole), 150).tolist():
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = memory.Memory.load(tmp_path)
        except CheckpointError as error:
            assert "\n" not in str(error)
        else:  # white space of JSON, at most
            assert found.names == sorted(names) and found.query(x[:1]) == filled(
                names, classes, x
            ).query(x[:1])
            assert found.made_by == MADE


def test_embeddings_that_are_not_finite_are_refused():
    names, classes, x = entries(3)
    x[1, 2] = float("nan")
    with pytest.raises(ParameterError, match="not finite"):
        filled(names, classes, x)


def test_a_timm_encoder_is_known_by_its_weights(tmp_path, monkeypatch):
    encoder = encoders.build("SmallAlexNet", 1 / 8, 32, 1)
    made = memory.maker(encoder, "timm:x@a.pth")
    assert memory.maker(encoder, "timm:x@moved/b.pth") == made  # a file may be moved
    with torch.no_grad():
        next(encoder.parameters())[0, 0, 0, 0] += 1e-3
    assert memory.maker(encoder, "timm:x@a.pth") != made
    assert memory.maker(encoder, "timm:x") != memory.maker(encoder, "timm:y")
    (tmp_path / "e.safetensors").write_bytes(b"1")
    assert memory.maker(encoder, str(tmp_path / "e.safetensors"))["encoder"] == files.sha256(
        tmp_path / "e.safetensors"
    )


def test_nested_pictures_belong_to_their_class_and_hidden_folders_to_none(tmp_path):
    for name in ("a/1.png", "a/deep/1.JPG", "b/2.png", ".ipynb_checkpoints/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (9, 200, 9)).save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    encoder = encoders.load("random")
    names, classes, x = memory.read_folder(tmp_path, encoder, memory.maker(encoder, "random"))
    assert (
        names == ["a/1.png", "a/deep/1.JPG", "b/2.png"]
        and classes == ["a", "a", "b"]
        and len(x) == 3
    )
    (tmp_path / "b" / "2.png").rename(tmp_path / "b" / b"\xe9.png".decode(errors="surrogateescape"))
    with pytest.raises(DataError, match="is not UTF-8; rename it"):
        memory.read_folder(tmp_path, encoder, memory.maker(encoder, "random"))
