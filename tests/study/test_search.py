"""The search: configurations from numbers, halving by the outcomes, trials that are never made
twice, and a search that was killed."""

import dataclasses
import time

import numpy as np
import pytest

from synthlearn.core.errors import ParameterError
from synthlearn.generators import default_options
from synthlearn.study import records, resolve, search, store
from synthlearn.study.records import Trial


def small():
    """Two configurations, of which one goes on, on tiny pictures."""
    rungs = (search.Rung(32, 1, (0,), 1), search.Rung(32, 1, (1,), 1))
    profile = resolve(
        "smoke", width=1 / 16, image_size=32, batch_size=32, n_images=32, per_class=20
    )
    return dataclasses.replace(
        search.get_search("collage", "smoke"), configs=2, rungs=rungs
    ), profile


def test_a_killed_search_goes_on_where_it_stopped(tmp_path, monkeypatch, fork):
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path))
    tiny, profile = small()
    where = search.RunTrial(tiny, profile, 0, tiny.rungs[0], 0).path.parent
    killed = fork(search.search_all, tiny, profile)
    while not list(where.glob("[!.]*.json")):
        assert killed.is_alive()
        time.sleep(0.005)
    killed.kill()
    killed.join()
    before = {path: path.stat().st_mtime_ns for path in where.glob("[!.]*.json")}
    # not all of it, and each of them whole
    assert 1 <= len(before) < 3
    assert all(records.read(path, Trial).held_out.n for path in before)
    standings = search.search_all(tiny, profile)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [len(rung) for rung in standings] == [2, 1] and len(list(where.glob("*.json"))) == 3
    assert standings[1][0][0] == standings[0][0][0]
    made = [trial for trial in tiny.trials(profile) if trial.path.exists()]
    assert all(search.has_record(trial) for trial in made)
    assert [store.state(trial) for trial in made] == ["fresh"] * 3
    monkeypatch.setattr(store, "code_of", lambda spec: "of another version")
    assert [store.state(trial) for trial in made] == ["stale"] * 3
    # which is no reason to begin a search anew
    assert [search.trial(trial).id for trial in made] == [trial.spec.id for trial in made]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_trial_is_the_experiment_of_its_configuration_and_says_how_it_is_chosen():
    tiny, profile = small()
    trial = search.RunTrial(tiny, profile, 1, tiny.rungs[1], 1)
    assert trial.experiment.row.options == tiny.options(1)
    assert trial.spec.content == {**trial.experiment.spec.content, "choice": search.CHOICE}
    assert trial.path.name == "collage-p01-n32-e1-s1.json"


def test_rungs_of_one_size_share_their_trials():
    tiny, profile = small()
    same = dataclasses.replace(tiny, rungs=(tiny.rungs[0], search.Rung(32, 1, (0, 1), 1)))
    assert len(list(same.trials(profile))) == 4


def test_configurations_are_functions_of_their_number_and_cover_the_space():
    collage = search.get_search("collage", "cpu")
    drawn = [collage.options(config) for config in range(500)]
    smoke = search.get_search("collage", "smoke")
    assert drawn == [smoke.options(config) for config in range(500)]
    for option, values in collage.space.items():
        counts = [sum(each[option] == value for each in drawn) for value in values]
        assert min(counts) > 0.7 * 500 / len(values)


def test_halves_of_the_training_images_share_none_and_keep_the_classes():
    a, b = search.halves(resolve("smoke", per_class=0))
    assert (
        len(a.labels) + len(b.labels) == 1000
        and abs(int((a.labels == 3).sum()) - int((b.labels == 3).sum())) <= 1
    )
    seen = {bytes(image.numpy()) for image in a.images}
    assert sum(bytes(image.numpy()) in seen for image in b.images) <= 2  # a digit may have a double


def right(shares, images=400, seeds=2):
    return [
        (config, np.arange(images)[None].repeat(seeds, 0) < share * images)
        for config, share in shares.items()
    ]


def test_a_clear_winner_is_chosen_always_and_equals_half_the_time():
    assert search.choices(right({5: 0.9, 2: 0.3})) == {5: 1.0, 2: 0.0}
    numbers = np.random.default_rng(1)
    near = [(config, numbers.random((2, 400)) < 0.5) for config in (0, 1)]
    assert 0.02 < search.choices(near)[0] < 0.98


def test_the_effect_of_a_value_is_its_configurations_mean_against_the_others():
    collage = search.get_search("collage", "cpu")
    shares = {
        config: 0.6 if collage.options(config)["rule"] == "cutmix" else 0.5 for config in range(20)
    }
    effects = {(e.option, e.value): e for e in search.effects(collage, right(shares))}
    rule = effects["rule", "cutmix"]
    assert rule.mean == pytest.approx(0.1, abs=0.005) and rule.low > 0.09
    assert rule.configs == sum(share == 0.6 for share in shares.values())
    assert abs(effects["colour", "photo"].mean) < 0.08


def test_the_registered_noise_is_the_one_that_was_chosen():
    """By the committed records alone: the finalist with the best mean of the last rung."""
    last = search.get_search("collage", "cpu").rungs[-1]
    scores, options = {}, {}
    for trial in store.committed(Trial, "cpu"):
        size = trial.spec.source.n_images, trial.spec.epochs
        if size == (last.n_images, last.epochs) and trial.seed in last.seeds:
            scores.setdefault(trial.config, []).append(trial.held_out.top1)
            options[trial.config] = trial.options
    assert len(scores) >= last.keep
    assert all(len(each) == len(last.seeds) for each in scores.values())
    best = max(scores, key=lambda config: sum(scores[config]))
    assert default_options("collage-found") == options[best]


def test_searches_that_are_not_there_are_refused():
    with pytest.raises(ParameterError, match="unknown search 'x'"):
        search.get_search("x", "cpu")
    with pytest.raises(
        ParameterError, match="profile = 'gpu': a search has the profiles smoke, cpu"
    ):
        search.get_search("collage", "gpu")
    with pytest.raises(ParameterError, match="jobs = 0: must be at least 1"):
        search.search_all(search.get_search("collage", "smoke"), resolve("smoke"), 0)
