"""The search: points from numbers, halving by the outcomes, tries that are never made twice, and a search that was killed."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from synthlearn.core import files
from synthlearn.core.errors import ParameterError
from synthlearn.generators import default_options
from synthlearn.study import records, resolve, search

RUN = """
from test_search import small
from synthlearn.study import search
search.search_all(*small())
"""


def small():
    """Two points, of which one goes on, on tiny pictures."""
    rungs = (search.Rung(32, 1, (0,), 1), search.Rung(32, 1, (1,), 1))
    profile = resolve(
        "smoke", width=1 / 16, image_size=32, batch_size=32, n_images=32, per_class=20
    )
    return dataclasses.replace(search.search("collage", "smoke"), points=2, rungs=rungs), profile


def test_a_killed_search_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path))
    found, profile = small()
    where = search.path(found, profile, 0, found.rungs[0], 0).parent
    path = f"{Path(__file__).parent}{os.pathsep}{Path(search.__file__).parents[2]}"
    killed = subprocess.Popen(
        [sys.executable, "-c", RUN],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list(where.glob("[!.]*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = {path: path.stat().st_mtime_ns for path in where.glob("[!.]*.json")}
    assert 1 <= len(before) < 3 and all(
        records.read(path)["results"] for path in before
    )  # not all of it, and each of them whole
    standing = search.search_all(found, profile)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [len(rung) for rung in standing] == [2, 1] and len(list(where.glob("*.json"))) == 3
    assert standing[1][0][0] == standing[0][0][0] and not search.missing(
        found, profile, range(2), found.rungs[0]
    )
    assert [state for _, _, state in search.made(found, profile)] == ["fresh"] * 3
    monkeypatch.setattr(records, "code_of", lambda spec: "of another version")
    assert [state for _, _, state in search.made(found, profile)] == ["stale"] * 3


def test_points_are_functions_of_their_number_and_cover_the_space():
    found = search.search("collage", "cpu")
    drawn = [found.options(point) for point in range(500)]
    assert drawn == [search.search("collage", "smoke").options(point) for point in range(500)]
    for option, values in found.space.items():
        counts = [sum(each[option] == value for each in drawn) for value in values]
        assert min(counts) > 0.7 * 500 / len(values)


def test_halves_of_the_training_images_share_none_and_keep_the_classes():
    a, b = search.halves(resolve("smoke"))
    assert (
        len(a.labels) + len(b.labels) == 1000
        and abs(int((a.labels == 3).sum()) - int((b.labels == 3).sum())) <= 1
    )
    seen = {bytes(image.numpy()) for image in a.images}
    assert sum(bytes(image.numpy()) in seen for image in b.images) <= 2  # a digit may have a double


def right(shares, images=400, seeds=2):
    return [
        (point, np.arange(images)[None].repeat(seeds, 0) < share * images)
        for point, share in shares.items()
    ]


def test_a_clear_winner_is_chosen_always_and_equals_half_the_time():
    assert search.choices(right({5: 0.9, 2: 0.3})) == {5: 1.0, 2: 0.0}
    numbers = np.random.default_rng(1)
    near = [(point, numbers.random((2, 400)) < 0.5) for point in (0, 1)]
    assert 0.02 < search.choices(near)[0] < 0.98


def test_the_effect_of_a_value_is_its_points_mean_against_the_others():
    found = search.search("collage", "cpu")
    shares = {
        point: 0.6 if found.options(point)["rule"] == "cutmix" else 0.5 for point in range(20)
    }
    effects = {(e["option"], e["value"]): e for e in search.effects(found, right(shares))}
    rule = effects["rule", "cutmix"]
    assert rule["mean"] == pytest.approx(0.1, abs=0.005) and rule["low"] > 0.09
    assert abs(effects["colour", "photo"]["mean"]) < 0.08


def test_the_registered_noise_is_the_one_that_was_found():
    """By the committed records alone: the finalist with the best mean over the last rung's seeds."""
    last = search.search("collage", "cpu").rungs[-1]
    scores, options = {}, {}
    for path in (files.root() / "results" / "search" / "cpu").glob(
        f"*-n{last.n_images}-e{last.epochs}-s*.json"
    ):
        tried = records.read(path)
        if tried["spec"]["seed"] in last.seeds:
            scores.setdefault(tried["point"], []).append(tried["results"]["held_out"]["top1"])
            options[tried["point"]] = tried["options"]
    assert len(scores) >= last.keep and all(
        len(each) == len(last.seeds) for each in scores.values()
    )
    assert (
        default_options("collage-found")
        == options[max(scores, key=lambda point: sum(scores[point]))]
    )


def test_searches_that_are_not_there_are_refused():
    with pytest.raises(ParameterError, match="unknown search 'x'"):
        search.search("x", "cpu")
    with pytest.raises(
        ParameterError, match="profile = 'gpu': a search has the profiles smoke, cpu"
    ):
        search.search("collage", "gpu")
    with pytest.raises(ParameterError, match="jobs = 0: must be at least 1"):
        search.search_all(search.search("collage", "smoke"), resolve("smoke"), 0)
