"""The command line as a user meets it."""

import dataclasses
import importlib.util
import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import synthlearn as sl
from synthlearn import study
from synthlearn.__main__ import main, parser
from synthlearn.commands import arguments, catalogue, verify
from synthlearn.core import distributed, files, progress
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.generators import default_options
from synthlearn.learn import encoders, reference, train
from synthlearn.learn.methods import METHODS
from synthlearn.study import jobs, profiles
from synthlearn.study.measuring import Measuring


def call(capsys, *arguments):
    code = main(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_list_shows_names_options_and_defaults(capsys):
    code, out, _ = call(capsys, "list")
    assert (
        code == 0
        and all(name in out for name in sl.generators.names())
        and "categories = 1000" in out
    )


def test_list_tells_what_each_option_may_be_and_how_required_ones_are_written(capsys):
    _, out, _ = call(capsys, "list")
    assert """parts (required): a list, as in '["noise-white", "dead_leaves-mixed"]'""" in out
    assert "MISSING" not in out and "shape = 'mixed'   (circle | square |" in out
    for name in sl.generators.names():
        for option in default_options(name):
            assert re.search(rf"^      {option} (=|\(required\))", out, re.MULTILINE), (
                name,
                option,
            )


def test_profiles_teaches_every_field_method_option_and_encoder(capsys):
    code, out, _ = call(capsys, "profiles")
    assert (
        code == 0
        and all(map(profiles.meaning, profiles.FIELDS))
        and catalogue.ENCODERS.keys() == {*encoders.TRAINABLE}
    )
    for field in profiles.FIELDS:
        line = re.search(rf"^    {field} +(.+)$", out, re.MULTILINE)[1]
        assert re.split(" {2,}", line)[:4] == [
            str(getattr(profiles.defaults(name), field)) for name in profiles.NAMES
        ]
    for name, method in METHODS.items():
        part = out.split(f"\n  {name}\n")[1].split("\n\n")[0]
        assert all(
            f"      {option.name} = " in part for option in dataclasses.fields(method.Options)
        )


def helps():
    """The help of every command."""
    commands = next(a.choices for a in parser()._actions if a.dest == "command")
    return {"": parser().format_help(), **{name: p.format_help() for name, p in commands.items()}}


def test_help_says_defaults_where_there_are_any_and_points_to_what_teaches():
    found = helps()
    for name, text in found.items():
        assert (
            "default: None" not in text
            and "default: []" not in text
            and "default: False" not in text
            and "default: ()" not in text
            and "SUPPRESS" not in text
        ), name
    assert (
        "(default: 128)" in found["generate"]
        and "another seed is another set (default: 0)" in " ".join(found["generate"].split())
        and re.search(r"\(--generator NAME \|[^)]*\| --row ROW\)", found["pretrain"])
        and "python -m synthlearn profiles" in found["pretrain"]
        and "torchrun" in found[""]
    )


def test_the_examples_of_the_help_are_calls():
    lines = re.findall(r"^  python -m synthlearn (.+)$", helps()[""], re.MULTILINE)
    assert len(lines) > 6
    for line in lines:
        arguments.check(parser().parse_args(shlex.split(line)))


def test_generate_writes_an_image_folder_that_a_second_call_completes(capsys, tmp_path):
    arguments = (
        "generate",
        "--generator",
        "noise-white",
        "--size",
        "16",
        "--out",
        str(tmp_path / "o"),
    )
    assert call(capsys, *arguments, "--n", "3")[0] == 0
    files = sorted((tmp_path / "o" / "train" / "noise-white").iterdir())
    stamp = files[0].stat().st_mtime_ns
    assert call(capsys, *arguments, "--n", "5")[0] == 0
    files = sorted((tmp_path / "o" / "train" / "noise-white").iterdir())
    assert len(files) == 5 and files[0].stat().st_mtime_ns == stamp
    picture = torch.from_numpy(np.array(Image.open(files[4]))).permute(2, 0, 1)
    assert torch.equal(picture, sl.generator("noise-white").sample([4], 16)[0])


def test_generate_writes_shards_that_webdataset_reads(capsys, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    assert (
        call(
            capsys,
            "generate",
            "--generator",
            "noise-white",
            "--n",
            "4",
            "--size",
            "16",
            "--out",
            str(tmp_path / "o"),
            "--format",
            "webdataset",
        )[0]
        == 0
    )
    samples = list(
        webdataset.WebDataset(str(tmp_path / "o" / "shard-00000.tar"), shardshuffle=False).decode(
            "rgb8"
        )
    )
    assert [s["__key__"] for s in samples] == [f"{i:08d}" for i in range(4)]
    assert np.array_equal(
        samples[2]["png"].transpose(2, 0, 1), sl.generator("noise-white").sample([2], 16)[0].numpy()
    )


def test_generate_does_not_mix_sets(capsys, tmp_path):
    call(
        capsys,
        "generate",
        "--generator",
        "noise-white",
        "--n",
        "1",
        "--size",
        "16",
        "--out",
        str(tmp_path / "o"),
    )
    code, _, err = call(
        capsys,
        "generate",
        "--generator",
        "noise-white",
        "--n",
        "1",
        "--size",
        "16",
        "--seed",
        "1",
        "--out",
        str(tmp_path / "o"),
    )
    assert code == 2 and "holds another set" in err


def test_a_seed_that_no_row_has_is_named(capsys):
    code, _, err = call(capsys, "run", "--profile", "smoke", "--row", "random", "--seed", "7")
    assert code == 2 and "--seed 7: these rows have seeds 0 to 0 in the profile smoke" in err


def test_verify_tells_what_was_asked_and_counts_and_fails_when_a_bit_differs(
    capsys, runs, monkeypatch, tmp_path
):
    monkeypatch.setattr(
        "synthlearn.study.store._confirmations", lambda: tmp_path / "confirmed.json"
    )
    arguments = ("verify", "--profile", "smoke", "--row", "mean_colours")
    code, out, _ = call(capsys, *arguments)
    assert code == 0 and out.startswith("Nothing to compare")
    assert call(capsys, "run", "--profile", "smoke", "--row", "mean_colours")[0] == 0
    code, out, _ = call(capsys, *arguments, "--whole")
    assert code == 0 and out.startswith("agrees   mean_colours seed 0, asked to the bit: ")
    assert out.splitlines()[1:3] == [
        "1 comparison: 1 agree, 0 do not.",
        "To the bit or up to rounding: 1 of 1 agree. No false alarm is to be expected. "
        "What agrees is confirmed.",
    ]
    path = runs / "records" / "smoke" / "mean_colours-s0.json"
    changed = files.read_json(path)
    changed["results"]["linear"]["top1"] += 1e-6
    del changed["digest"]
    files.write_json(path, {**changed, "digest": files.digest(changed)})
    code, out, _ = call(capsys, *arguments)
    assert code == 1 and out.startswith("DIFFERS  mean_colours") and "FAILED" in out


@pytest.fixture
def no_reference(monkeypatch):
    """A machine without the package of the reference's weights."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == reference.PACKAGE else find(name)
    )


def test_verify_leaves_out_what_cannot_be_run_here(capsys, no_reference):
    ceiling, random = (
        study.Experiment(study.get_row(name), study.resolve("smoke"), 0)
        for name in ("reference", "random")
    )
    assert verify._can_run(random) and not verify._can_run(ceiling)
    assert capsys.readouterr().out == ("left out reference seed 0: needs the extra `reference`\n")
    seen, layers = (Measuring(what, random) for what in ("neutral", "layers"))
    assert verify._can_run(layers) and not verify._can_run(seen)


def test_the_reference_without_its_extra_says_how_to_get_it(capsys, no_reference):
    arguments = ("--generator", "noise-white", "--profile", "smoke", "--encoder", "reference")
    code, out, err = call(capsys, "properties", *arguments)
    assert (code, out) == (2, "") and "pip install -e '.[reference]'" in err
    assert call(capsys, "pretrain", *arguments[:2], "--out", "reference")[0] == 2


def test_searching_says_where_the_winner_stands(capsys, monkeypatch):
    rungs = [
        [(1, np.array([[True, True]])), (0, np.array([[True, False]]))],
        [(1, np.array([[True, True]]))],
    ]
    monkeypatch.setattr("synthlearn.study.search.search_all", lambda search, profile, jobs: rungs)
    code, out, _ = call(capsys, "search", "--profile", "smoke")
    assert (
        code == 0
        and out.splitlines()[0].startswith("rung 1, point 1: 100.0 %  (shape ")
        and "point 1 is chosen in 100 % of draws" in out
    )


def test_pretrain_then_probe_prints_one_json_object(capsys, tmp_path, runs):
    out = tmp_path / "e.safetensors"
    code, text, _ = call(
        capsys,
        "pretrain",
        "--generator",
        "noise-white",
        "--set",
        "epochs=1",
        "--set",
        "n_images=32",
        "--set",
        "batch_size=16",
        "--out",
        str(out),
    )
    assert (
        code == 0
        and "loss" in text
        and [path.name for path in tmp_path.iterdir() if path.is_file()] == ["e.safetensors"]
    )
    code, text, _ = call(
        capsys, "probe", "--encoder", str(out), "--data", "digits", "--per-class", "20"
    )
    found = json.loads(text)
    assert (
        code == 0
        and found["low"] <= found["top1"] <= found["high"]
        and found["n"] == 797
        and found["metric"] == "fc6_linear"
    )


TINY = (
    "--generator",
    "noise-white",
    "--set",
    "epochs=1",
    "--set",
    "n_images=16",
    "--set",
    "batch_size=16",
)


def test_an_encoder_that_is_there_is_replaced_only_by_force(capsys, tmp_path, runs):
    out = tmp_path / "e.safetensors"
    out.write_text("mine")
    code, _, err = call(capsys, "pretrain", *TINY, "--out", str(out))
    assert (
        code == 2
        and "is there already; choose another name, or replace it with --force" in err
        and out.read_text() == "mine"
    )
    assert call(capsys, "pretrain", *TINY, "--out", str(out), "--force")[0] == 0 and encoders.load(
        str(out)
    )


def test_training_asks_for_no_data_of_the_probe_and_keeps_its_name(capsys, tmp_path, runs, no_data):
    out = tmp_path / "e.safetensors"
    assert (
        call(
            capsys,
            "pretrain",
            *TINY,
            "--profile",
            "paper",
            "--set",
            "device=cpu",
            "--set",
            "width=0.125",
            "--set",
            "crop=32",
            "--out",
            str(out),
        )[0]
        == 0
    )
    assert files.load_tensors(out)[1]["training"]["profile"]["data"] == "imagenet-100"


def test_a_checkpoint_is_named_after_the_whole_file_and_stays_until_the_encoder_is_there(
    capsys, tmp_path, runs, monkeypatch
):
    def full(path, *_):
        raise DataError(f"cannot write {path}: No space left on device; free some space")

    def trained(self, checkpoint, *_):
        checkpoint.write_text("state")
        return train.Trained({"loss": [0.0]}, 0.0, 0)

    monkeypatch.setattr("synthlearn.learn.train.Training.run", trained)
    monkeypatch.setattr("synthlearn.learn.encoders.save", full)
    for name in ("enc.v1", "enc.v2"):
        assert call(capsys, "pretrain", *TINY, "--out", str(tmp_path / name))[0] == 1
    assert sorted(path.name for path in tmp_path.glob("enc*")) == [
        "enc.v1.checkpoint",
        "enc.v2.checkpoint",
    ]


def test_a_target_that_cannot_be_written_is_refused_before_the_work(
    capsys, tmp_path, runs, monkeypatch
):
    ran = "synthlearn.learn.train.Training.run"
    monkeypatch.setattr(ran, lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("folder", "link"):
        code, _, err = call(capsys, "pretrain", *TINY, "--out", str(tmp_path / name))
        assert code == 1 and "only files are replaced" in err


def test_a_setting_that_would_not_reach_the_row_is_refused(capsys, tmp_path, runs):
    code, _, err = call(
        capsys,
        "pretrain",
        "--row",
        "dead_leaves-mixed.simclr",
        "--set",
        "method=moco",
        "--out",
        str(tmp_path / "e.safetensors"),
    )
    assert (
        code == 2
        and "--set method=moco: the row dead_leaves-mixed.simclr has method = simclr" in err
    )


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SYNTHLEARN_ROOT", "nowhere", "SYNTHLEARN_ROOT = 'nowhere': no such folder"),
        (
            "SYNTHLEARN_ROOT",
            "empty",
            "study.toml: no such file; call this in a checkout of the project, "
            "or name one by SYNTHLEARN_ROOT",
        ),
        ("SYNTHLEARN_RUNS", "file", "SYNTHLEARN_RUNS: file is no folder"),
    ],
)
def test_places_that_are_none_are_named(capsys, tmp_path, monkeypatch, variable, value, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, value)
    code, _, err = call(capsys, "status", "--profile", "smoke")
    assert code == 2 and message in err and err.count("\n") == 1


def test_processes_say_how_many_they_are_and_the_first_speaks_for_all(capsys, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    distributed.start()
    assert (
        capsys.readouterr().err
        == "1 process; on CPUs `accelerate launch` starts several only with MPI: "
        "use torchrun --nproc_per_node N\n"
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert progress.bar(3, "a").disable
    assert call(capsys, "run", "--profile", "big") == (1, "", "")
    monkeypatch.setattr("synthlearn.study.store.get", lambda *_: 1 / 0)
    assert (
        "process 1: internal error: ZeroDivisionError"
        in call(capsys, "run", "--profile", "smoke", "--row", "random")[2]
    )


def test_properties_compare_a_set_with_real_images_and_real_images_with_themselves(capsys, runs):
    assert main(["properties", "--real", "digits", "--encoder", "random", "--n", "40"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["n"] == 40
        and found["tap"] == "conv5"
        and found["properties"]["recall"]["value"] > 0.8
    )
    assert (
        main(["properties", "--generator", "noise-white", "--encoder", "random", "--n", "40"]) == 0
    )
    noise = json.loads(capsys.readouterr().out)
    assert (
        noise["properties"]["spectrum"]["value"] == pytest.approx(0, abs=0.3)
        and noise["properties"]["spectrum"]["real"] < -1
    )
    assert noise["properties"]["frechet"]["real"] == found["properties"]["frechet"]["real"]
    assert (
        main(["properties", "--generator", "noise-white", "--encoder", "random", "--n", "400"]) == 2
    )
    assert (
        "--n 400: must lie between 12 and 398, half of the test images of digits"
        in capsys.readouterr().err
    )


@pytest.fixture
def lying(tmp_path):
    """A folder set of four colours, class by class: 12 training and 16 test pictures of each."""
    for split, n in (("train", 12), ("test", 16)):
        for c in range(4):
            where = tmp_path / "set" / split / f"class {c}"
            where.mkdir(parents=True)
            for i in range(n):
                pixels = (
                    np.random.default_rng([c, i])
                    .integers(60 * c, 60 * c + 9, (32, 32, 3))
                    .astype(np.uint8)
                )
                pixels[:, :, c % 3] += 10
                Image.fromarray(pixels).save(where / f"{i:02d}.png")
    return tmp_path / "set"


@pytest.mark.parametrize("source", ["--real", "--folder"])
def test_properties_of_a_set_that_lies_class_by_class_compare_all_of_its_classes(
    source, capsys, runs, lying
):
    path = str(lying if source == "--real" else lying / "train")
    assert (
        main(["properties", source, path, "--data", str(lying), "--encoder", "random", "--n", "24"])
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["data"] == str(lying) and found["n"] == 24
    colours = found["properties"]["colour_kl"]
    assert colours["real"] < 1 and colours["value"] < 4  # with other classes in each half: above 20
    assert found["properties"]["frechet"]["real"] < found["properties"]["frechet"]["value"] + 1e-3


def test_properties_take_as_many_pictures_as_there_are(capsys, runs, lying):
    arguments = ("properties", "--encoder", "random", "--data", str(lying))
    assert (
        main([*arguments, "--generator", "noise-white"]) == 0
        and json.loads(capsys.readouterr().out)["n"] == 32
    )  # half of the test images
    assert (
        main([*arguments, "--folder", str(lying / "train" / "class 0")]) == 0
        and json.loads(capsys.readouterr().out)["n"] == 12
    )
    for n, message in (
        (33, "must lie between 12 and 32, half of the test images"),
        (11, "must lie between 12 and 32"),
        (-1, "must be a whole number"),
    ):
        assert (
            main([*arguments, "--generator", "noise-white", "--n", str(n)]) == 2
            and message in capsys.readouterr().err
        )
    assert main([*arguments, "--folder", str(lying / "train" / "class 0"), "--n", "13"]) == 2
    assert "between 12 and 12, the pictures of folder:class 0" in capsys.readouterr().err
    for path in (lying / "test").glob("*/1*.png"):
        path.unlink()
    for path in (lying / "test").glob("*/0[3-9].png"):
        path.unlink()
    assert (
        main([*arguments, "--generator", "noise-white"]) == 1
        and "half of the test images of" in capsys.readouterr().err
    )
    assert (
        main([*arguments, "--generator", "noise-white", "--set", "data=digits"]) == 2
        and "give one of them" in capsys.readouterr().err
    )


def test_pretrain_takes_a_folder_and_a_probe_an_image_folder(capsys, tmp_path, runs):
    for split in ("train", "test"):
        for c, generator in (("leaves", "dead_leaves-squares"), ("noise", "noise-white")):
            where = tmp_path / "set" / split / c
            where.mkdir(parents=True)
            for i, picture in enumerate(
                sl.generator(generator).sample(range(8), 40, seed=len(split))
            ):
                Image.fromarray(picture.permute(1, 2, 0).numpy()).save(where / f"{i}.png")
    out = str(tmp_path / "e.safetensors")
    assert (
        call(
            capsys,
            "pretrain",
            "--folder",
            str(tmp_path / "set"),
            "--set",
            "n_images=32",
            "--set",
            "batch_size=16",
            "--set",
            "epochs=1",
            "--out",
            out,
        )[0]
        == 0
    )
    code, text, _ = call(capsys, "probe", "--encoder", out, "--data", str(tmp_path / "set"))
    assert (
        code == 0 and json.loads(text)["top1"] > 0.6
    )  # sixteen pictures to learn leaves from noise


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("generate", "--generator", "dead-leaves", "--out", "x"),
            2,
            "synthlearn: unknown generator 'dead-leaves': did you mean",
        ),
        (
            ("generate", "--generator", "noise-white", "--n", "0", "--out", "x"),
            2,
            "--n '0': must be a whole number from 1 to 1,000,000,000",
        ),
        (
            ("pretrain", "--generator", "noise-white", "--set", "epoch=5", "--out", "x"),
            2,
            "unknown parameter 'epoch' (= 5): did you mean 'epochs'?",
        ),
        (
            ("pretrain", "--generator", "noise-white", "--profile", "big", "--out", "x"),
            2,
            "profile = 'big': must be one of smoke",
        ),
        (
            ("probe", "--encoder", "nothing.safetensors", "--data", "digits"),
            1,
            "nothing.safetensors: no such file",
        ),
        (
            ("probe", "--encoder", "random", "--data", "imagenet"),
            1,
            "data set 'imagenet' is not here",
        ),
        (("run", "--profile", "smoke", "--row", "leaves"), 2, "unknown row 'leaves'"),
        (
            ("status", "--profile", "smoke", "--chapter", "99_none"),
            2,
            "--chapter 99_none: tells no row of this profile; chapters with rows: 01_dead_leaves",
        ),
    ],
)
def test_errors_are_one_message_with_the_documented_status(
    capsys, no_data, arguments, code, message
):
    got, _, err = call(capsys, *arguments)
    assert got == code and message in err and "Traceback" not in err and err.count("\n") == 1


def test_usage_errors_exit_with_2():
    for wrong in (
        ["fly"],
        ["generate", "--generator", "noise-white", "--out", "x", "--option", "points"],
    ):
        assert (
            subprocess.run(
                [sys.executable, "-m", "synthlearn", *wrong], capture_output=True, check=False
            ).returncode
            == 2
        )


def test_status_counts_states(capsys, runs):
    code, out, _ = call(capsys, "status", "--profile", "smoke")
    assert (
        code == 0 and "missing  random seed 0" in out and "missing  layers of random seed 0" in out
    )
    planned = len(list(jobs.all_jobs(sl.study.resolve("smoke"))))
    assert f"{planned} missing" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--row", "random"], r"--row random: it trains nothing \(kind random\)"),
        (
            ["--row", "noise-white", "--option", "x=1"],
            "--row noise-white has its own, and --option and --method-option cannot change it",
        ),
        (
            ["--generator", "noise-white", "--method-option", "tau=1"],
            "unknown option 'tau' of method 'align_uniform': allowed are alpha, t, uniform_weight",
        ),
        (["--generator", "noise-white", "--set", "method=supcon"], "its pictures have no classes"),
    ],
)
def test_what_cannot_be_pretrained_is_named(arguments, message, capsys, runs, tmp_path):
    code, _, error = call(
        capsys,
        "pretrain",
        *arguments,
        "--set",
        "n_images=16",
        "--out",
        str(tmp_path / "e.safetensors"),
    )
    assert code == 2 and re.search(message, error), error
    assert not (tmp_path / "e.safetensors").exists()


def test_the_door_allows_what_the_library_does():
    """The command line has these bounds of its own, so that its help needs no torch."""
    from synthlearn.commands import arguments
    from synthlearn.core import image, options
    from synthlearn.generators import annotations
    from synthlearn.learn import encoders, networks

    assert image.SIZES == arguments.SIZES and encoders.SIDES == arguments.INPUTS
    assert annotations.LABELS == arguments.LABELS
    assert (options.LEAST, options.MOST) == arguments.SEEDS
    assert networks.WIDTHS == arguments.WIDTHS
    assert encoders.SmallAlexNet(networks.WIDTHS[0], 32).options["width"] == networks.WIDTHS[0]
    for width in (0.9 * arguments.WIDTHS[0], 1.1 * arguments.WIDTHS[1]):
        with pytest.raises(ParameterError):
            encoders.SmallAlexNet(width, 32)
