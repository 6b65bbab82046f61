"""``compare``: from a folder of labelled images to a table, a figure and a file of numbers."""

import contextlib
import io
import json
import re

import pytest
from PIL import Image

import synthlearn as sl
from synthlearn.__main__ import main
from synthlearn.core import files
from synthlearn.learn import encoders
from synthlearn.study import contracts

SMALL = [word for field in ("n_images=16", "batch_size=8", "epochs=1", "width=0.0625")
         for word in ("--set", field)]  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A tiny ImageFolder: leaves and noise."""
    folder = tmp_path_factory.mktemp("images")
    for split in ("train", "test"):
        for kind in ("dead_leaves-squares", "noise-white"):
            (folder / split / kind).mkdir(parents=True)
            drawn = sl.generator(kind).sample(range(8), 40, seed=len(split))
            for i, image in enumerate(drawn):
                pixels = image.permute(1, 2, 0).numpy()
                Image.fromarray(pixels).save(folder / split / kind / f"{i}.png")
    return folder


def call(*arguments):
    """Status, standard output and standard error of a call."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


class Interrupted:
    """Training that is broken off at the second call, as by Ctrl-C."""

    def __init__(self):
        self.calls, self.train = 0, contracts.train

    def __call__(self, *args):
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return self.train(*args)


@pytest.fixture(scope="module")
def made(images, tmp_path_factory):
    """A comparison that is interrupted and goes on: its words, its folder, how often it trained,
    and what both calls gave."""
    folder = tmp_path_factory.mktemp("results")
    out = folder / "mine"
    shared = ["--data", str(images), "--out", str(out), "--profile", "smoke", "--runs", "1"]
    words = ["compare", "--sources", "noise-white", "real", *shared, *SMALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHLEARN_RUNS", str(folder / "runs"))
        patch.setattr(contracts, "train", train := Interrupted())
        first, unfinished = call(*words), (out / "compare.json").exists()
        return words, out, (train, first, unfinished, call(*words))


def test_an_interrupted_comparison_goes_on_where_it_was(made):
    train, first, unfinished, second = made[2]
    assert first[0] == 130 and first[1] == "" and "the same command goes on" in first[2]
    assert not unfinished  # nothing that looks like a result
    assert second[0] == 0 and train.calls == 3  # one of the two sources was trained already
    assert re.search(r"noise-white seed 0: .*kept", second[2])


def test_table_file_and_records_agree(made):
    _, out, (*_, (_, text, _)) = made
    answer = files.read_with_digest(out / "compare.json")
    names = {each["source"] for each in answer["sources"]}
    assert names == {"untrained encoder", "noise-white", "real"}
    assert answer["n_test"] == 16 and answer["chance"] == 0.5
    for each in answer["sources"]:
        (run,) = each["runs"]
        assert f"{100 * run['top1']:.1f} [" in text and each["source"] in text
        record = json.loads((out / run["record"]).read_text())
        assert record["results"][answer["probe"]]["top1"] == run["top1"]
        if run["encoder"]:
            encoders.load(str(out / run["encoder"]))
        else:
            assert each["over_untrained"] is None
    assert Image.open(out / "compare.png").format == "PNG"
    assert "over images" in text  # one run tells nothing of runs


def test_a_source_of_too_few_images_is_refused_before_any_training(images, tmp_path):
    shared = ["--data", str(images), "--out", str(tmp_path / "o"), "--profile", "smoke"]
    code, text, err = call("compare", "--sources", "noise-white", "real", *shared)
    assert code == 1 and text == ""
    assert "holds 16 images, 256 are asked for; lower n_images, as by --set n_images=16" in err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("source", "setting", "words"),
    [
        ("noise-white", "method=supcon", "noise-white: its pictures have no classes"),
        ("real", "refresh=0.5", "refresh = 0.5: real:"),
    ],
)
def test_what_a_source_cannot_give_is_said_before_anything_is_written(
    images, tmp_path, source, setting, words
):
    shared = ["--data", str(images), "--out", str(tmp_path / "o"), "--profile", "smoke", *SMALL]
    code, text, err = call("compare", "--sources", source, *shared, "--set", setting)
    assert code == 2 and text == "" and words in err and not (tmp_path / "o").exists()


def test_maps_of_labels_are_not_taken_for_images(images, tmp_path):
    leaves = tmp_path / "leaves"
    words = ["--generator", "dead_leaves-squares", "--n", "2", "--size", "16", "--labels", "edges"]
    assert call("generate", *words, "--out", str(leaves))[0] == 0
    options = ["--data", str(images), "--out", str(tmp_path / "o"), "--profile", "smoke"]
    for command in (
        ["compare", "--sources", f"folder:path={leaves}", *options],
        ["pretrain", "--folder", str(leaves), "--out", str(tmp_path / "o")],
        ["memory", "build", "--memory", str(tmp_path / "o"), "--images", str(leaves)],
    ):
        code, text, err = call(*command)
        assert code == 2 and text == "" and f"which are no images; give '{leaves}/train'" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["leaves"]


def test_an_encoder_that_is_gone_is_trained_again_and_a_damaged_one_is_named(made, monkeypatch):
    words, out, _ = made
    (path,) = out.glob("encoders/noise-white*")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    code, text, err = call(*words)
    assert code == 1 and text == "" and path.name in err and "delete it" in err
    path.unlink()
    assert call(*words)[0] == 0 and path.read_bytes() == whole


def test_another_command_into_the_folder_is_refused(made):
    words, out, _ = made
    before = sorted(p.name for p in out.rglob("*"))
    code, text, err = call(*words, "--set", "crop=40")
    assert code == 2 and text == "" and "another comparison: its crop is 32, not 40" in err
    assert sorted(p.name for p in out.rglob("*")) == before


def test_a_damaged_run_is_named_and_never_read(made):
    words, out, _ = made
    (path,) = out.glob("records/smoke/real*.json")
    whole = path.read_text()
    path.write_text(whole.replace('"seed": 0', '"seed": 1'))
    code, text, err = call(*words)
    path.write_text(whole)
    assert code == 1 and text == "" and path.name in err and "delete it" in err
