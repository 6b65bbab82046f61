"""The command line as a user meets it."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import synthlearn as sl
from synthlearn.__main__ import main
from synthlearn.study import measurements, records


def call(capsys, *arguments):
    code = main(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_list_shows_names_options_and_defaults(capsys):
    code, out, _ = call(capsys, "list")
    assert code == 0 and all(name in out for name in sl.generators.names()) and "categories = 1000" in out


@pytest.mark.parametrize("command", ["generate", "pretrain", "probe", "properties", "run", "status", "verify"])
def test_help_teaches(command):
    done = subprocess.run([sys.executable, "-m", "synthlearn", command, "--help"], capture_output=True, text=True, check=True)
    assert "default" in done.stdout or "required" in done.stdout or "usage" in done.stdout


def test_generate_writes_an_image_folder_that_a_second_call_completes(capsys, tmp_path):
    arguments = ("generate", "--generator", "noise-white", "--size", "16", "--out", str(tmp_path / "o"))
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
    assert call(capsys, "generate", "--generator", "noise-white", "--n", "4", "--size", "16", "--out", str(tmp_path / "o"), "--format", "webdataset")[0] == 0
    samples = list(webdataset.WebDataset(str(tmp_path / "o" / "shard-00000.tar"), shardshuffle=False).decode("rgb8"))
    assert [s["__key__"] for s in samples] == [f"{i:08d}" for i in range(4)]
    assert np.array_equal(samples[2]["png"].transpose(2, 0, 1), sl.generator("noise-white").sample([2], 16)[0].numpy())


def test_generate_does_not_mix_sets(capsys, tmp_path):
    call(capsys, "generate", "--generator", "noise-white", "--n", "1", "--size", "16", "--out", str(tmp_path / "o"))
    code, _, err = call(capsys, "generate", "--generator", "noise-white", "--n", "1", "--size", "16", "--seed", "1", "--out", str(tmp_path / "o"))
    assert code == 2 and "holds another set" in err


def test_a_seed_that_no_row_has_is_named(capsys):
    code, _, err = call(capsys, "run", "--profile", "smoke", "--row", "random", "--seed", "7")
    assert code == 2 and "--seed 7: these rows have seeds 0 to 0 in the profile smoke" in err


def test_verify_tells_what_was_asked_and_counts_and_fails_when_a_bit_differs(capsys, runs, monkeypatch, tmp_path):
    monkeypatch.setattr("synthlearn.study.records._confirmations", lambda: tmp_path / "confirmed.json")
    arguments = ("verify", "--profile", "smoke", "--row", "mean_colours")
    code, out, _ = call(capsys, *arguments)
    assert code == 0 and out.startswith("Nothing to compare")
    assert call(capsys, "run", "--profile", "smoke", "--row", "mean_colours")[0] == 0
    code, out, _ = call(capsys, *arguments, "--whole")
    assert code == 0 and out.startswith("agrees   mean_colours seed 0, asked to the bit: ")
    assert out.splitlines()[1:3] == ["1 comparison: 1 agree, 0 do not.", "To the bit or up to rounding: 1 of 1 agree. No false alarm is to be expected. "
                                     "What agrees is confirmed."]  # fmt: skip
    path = runs / "records" / "smoke" / "mean_colours-s0.json"
    changed = records.read(path)
    changed["results"]["linear"]["top1"] += 1e-6
    records.write(path, changed)
    code, out, _ = call(capsys, *arguments)
    assert code == 1 and out.startswith("DIFFERS  mean_colours") and "FAILED" in out


def test_searching_says_where_the_winner_stands(capsys, monkeypatch):
    rungs = [[(1, np.array([[True, True]])), (0, np.array([[True, False]]))], [(1, np.array([[True, True]]))]]
    monkeypatch.setattr("synthlearn.study.search.search_all", lambda found, profile, jobs: rungs)
    code, out, _ = call(capsys, "search", "--profile", "smoke")
    assert code == 0 and out.splitlines()[0].startswith("rung 1, point 1: 100.0 %  (shape ") and "point 1 is chosen in 100 % of draws" in out


def test_pretrain_then_probe_prints_one_json_object(capsys, tmp_path, runs):
    out = tmp_path / "e.safetensors"
    code, text, _ = call(
        capsys, "pretrain", "--generator", "noise-white", "--set", "epochs=1", "--set", "n_images=32", "--set", "batch_size=16", "--out", str(out)
    )
    assert code == 0 and out.exists() and "loss" in text and not out.with_suffix(".checkpoint").exists()
    code, text, _ = call(capsys, "probe", "--encoder", str(out), "--data", "digits", "--per-class", "20")
    found = json.loads(text)
    assert code == 0 and found["low"] <= found["top1"] <= found["high"] and found["n"] == 797 and found["metric"] == "fc6_linear"


def test_properties_compare_a_set_with_real_images_and_real_images_with_themselves(capsys, runs):
    assert main(["properties", "--real", "digits", "--encoder", "random", "--n", "40"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 40 and found["tap"] == "conv5" and found["properties"]["recall"]["value"] > 0.8
    assert main(["properties", "--generator", "noise-white", "--encoder", "random", "--n", "40"]) == 0
    noise = json.loads(capsys.readouterr().out)
    assert noise["properties"]["spectrum"]["value"] == pytest.approx(0, abs=0.3) and noise["properties"]["spectrum"]["real"] < -1
    assert noise["properties"]["frechet"]["real"] == found["properties"]["frechet"]["real"]
    assert main(["properties", "--generator", "noise-white", "--encoder", "random", "--n", "400"]) == 1
    assert "--n 400: must lie between 12 and 398" in capsys.readouterr().err


def test_pretrain_takes_a_folder_and_a_probe_an_image_folder(capsys, tmp_path, runs):
    for split in ("train", "test"):
        for c, generator in (("leaves", "dead_leaves-squares"), ("noise", "noise-white")):
            where = tmp_path / "set" / split / c
            where.mkdir(parents=True)
            for i, picture in enumerate(sl.generator(generator).sample(range(8), 40, seed=len(split))):
                Image.fromarray(picture.permute(1, 2, 0).numpy()).save(where / f"{i}.png")
    out = str(tmp_path / "e.safetensors")
    assert (
        call(capsys, "pretrain", "--folder", str(tmp_path / "set"), "--set", "n_images=32", "--set", "batch_size=16", "--set", "epochs=1", "--out", out)[0] == 0
    )
    code, text, _ = call(capsys, "probe", "--encoder", out, "--data", str(tmp_path / "set"))
    assert code == 0 and json.loads(text)["top1"] > 0.6  # sixteen pictures to learn leaves from noise


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("generate", "--generator", "dead-leaves", "--out", "x"), 2, "synthlearn: unknown generator 'dead-leaves': did you mean"),
        (("generate", "--generator", "noise-white", "--n", "0", "--out", "x"), 2, "n = 0: must be 1 or more"),
        (("pretrain", "--generator", "noise-white", "--set", "epoch=5", "--out", "x"), 2, "unknown parameter 'epoch' (= 5): did you mean 'epochs'?"),
        (("pretrain", "--generator", "noise-white", "--profile", "big", "--out", "x"), 2, "profile = 'big': must be one of smoke"),
        (("probe", "--encoder", "nothing.safetensors", "--data", "digits"), 1, "nothing.safetensors: no such file"),
        (("probe", "--encoder", "random", "--data", "imagenet"), 1, "data set 'imagenet' is not here"),
        (("run", "--profile", "smoke", "--row", "leaves"), 2, "unknown row 'leaves'"),
        (("status", "--profile", "smoke", "--chapter", "99_none"), 2, "--chapter 99_none: tells no row of this profile; chapters with rows: 01_dead_leaves"),
    ],
)
def test_errors_are_one_message_with_the_documented_status(capsys, no_data, arguments, code, message):
    got, _, err = call(capsys, *arguments)
    assert got == code and message in err and "Traceback" not in err and err.count("\n") == 1


def test_usage_errors_exit_with_2():
    for arguments in (["fly"], ["generate", "--generator", "noise-white", "--out", "x", "--option", "points"]):
        assert subprocess.run([sys.executable, "-m", "synthlearn", *arguments], capture_output=True, check=False).returncode == 2


def test_status_counts_states(capsys, runs):
    code, out, _ = call(capsys, "status", "--profile", "smoke")
    assert code == 0 and "missing  random seed 0" in out and "missing  layers of random seed 0" in out
    planned = sum(len(measurements.planned(what, sl.study.resolve("smoke"))) for what in measurements.plans())
    assert f"{len(sl.study.wanted(sl.study.resolve('smoke'))) + planned} missing" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--row", "random"], r"--row random: it trains nothing \(kind random\)"),
        (["--row", "noise-white", "--option", "x=1"], "--row noise-white: --option and --method-option cannot change it"),
        (["--generator", "noise-white", "--method-option", "tau=1"], "unknown option 'tau' of method 'align_uniform': allowed are alpha, t, uniform_weight"),
        (["--generator", "noise-white", "--set", "method=supcon"], "its pictures have no classes"),
    ],
)
def test_what_cannot_be_pretrained_is_named(arguments, message, capsys, runs, tmp_path):
    code, _, error = call(capsys, "pretrain", *arguments, "--set", "n_images=16", "--out", str(tmp_path / "e.safetensors"))
    assert code == 2 and re.search(message, error), error
    assert not (tmp_path / "e.safetensors").exists()
