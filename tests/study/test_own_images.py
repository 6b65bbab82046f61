"""Sources compared on one's own images: plans that must agree, and what the runs say."""

import numpy as np
import pytest
from make import result, run
from PIL import Image

from synthlearn import study
from synthlearn.core.errors import ParameterError
from synthlearn.study import own_images

SEEDS, IMAGES = 3, 400


def records(shares):
    """Made-up runs by row: which share of the images each source's runs get right, about."""
    rng = np.random.default_rng(0)
    hard = rng.permutation(np.arange(IMAGES) / IMAGES)
    rows = [own_images.row(name, {}) for name in shares if name != own_images.UNTRAINED]
    made = {
        name: [
            run(name, seed, {"fc6_linear": result(hard + rng.normal(0, 0.02, IMAGES) < share)}, {})
            for seed in range(SEEDS)
        ]
        for name, share in shares.items()
    }
    return rows, made


def test_sources_stand_from_best_to_worst_and_lead_by_the_difference_of_their_means():
    shares = {own_images.UNTRAINED: 0.3, "noise-white": 0.4, "fractals-sigma": 0.7}
    outcome = own_images.outcome(*records(shares))
    first, second, floor = outcome.standings
    assert [s.row.name for s in outcome.standings] == [*reversed(shares)]
    assert outcome.best is first and outcome.alike == () and floor.lead is None
    for s in (first, second):
        assert s.lead.mean == pytest.approx(s.top1.mean - floor.top1.mean)
        assert s.lead.low < s.lead.mean < s.lead.high and s.lead.over == "runs and images"
        # the images' difficulty is common to both: the lead is known better than either accuracy
        assert s.lead.high - s.lead.low < 2 * (s.top1.high - s.top1.low)


def test_a_source_equal_to_the_best_is_not_told_apart_from_it():
    shares = {own_images.UNTRAINED: 0.2, "noise-white": 0.6, "fractals-sigma": 0.6}
    outcome = own_images.outcome(*records(shares))
    others = {s.row.name for s in outcome.standings[1:]} - {own_images.UNTRAINED}
    assert set(outcome.alike) == others and len(others) == 1


def test_one_run_of_each_gives_intervals_over_images_alone():
    rows, made = records({own_images.UNTRAINED: 0.2, "noise-white": 0.6})
    outcome = own_images.outcome(rows, {name: runs[:1] for name, runs in made.items()})
    assert {s.top1.over for s in outcome.standings} == {"images"}


@pytest.fixture
def plan():
    profile = study.resolve("smoke", epochs=1)
    return own_images.plan([own_images.row("noise-white", {})], profile, 2)


@pytest.mark.parametrize(
    ("table", "field", "value", "says"),
    [
        ("settings", "epochs", 2, "its epochs is 1, not 2"),
        ("sources", "fractals-sigma", {}, "its sources are noise-white"),
        ("sources", "noise-white", {}, "source noise-white gave other images"),
        ("images", "test", "0", "labelled images, test gave other images"),
    ],
)
def test_another_plan_is_refused_and_says_what_differs(tmp_path, plan, table, field, value, says):
    own_images.keep_plan(tmp_path / "o", plan)
    own_images.keep_plan(tmp_path / "o", plan)  # the same one goes on
    with pytest.raises(ParameterError, match=says):
        own_images.keep_plan(tmp_path / "o", {**plan, table: {**plan[table], field: value}})


def test_runs_may_grow_and_never_shrink(tmp_path, plan):
    own_images.keep_plan(tmp_path / "o", plan)
    own_images.keep_plan(tmp_path / "o", {**plan, "runs": 3})
    with pytest.raises(ParameterError, match="has 3 already"):
        own_images.keep_plan(tmp_path / "o", plan)


def test_a_folder_with_other_things_is_left_alone(tmp_path, plan):
    (tmp_path / "letter.txt").touch()
    with pytest.raises(ParameterError, match="holds other things"):
        own_images.keep_plan(tmp_path, plan)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_rows_of_one_generator_with_other_options_have_files_of_their_own():
    names = {own_images.row("folder", {"path": path}).name for path in ("a/b", "a_b", "a b")}
    assert len(names) == 3 and not any("/" in name for name in names)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stat-spectrum", {"color": False}),
        ("real", {"data": "digits"}),
        ("folder", {"path": "a/."}),
    ],
)
def test_the_same_images_by_another_spelling_are_given_twice(name, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(16):
        picture = tmp_path / "a" / f"{i}.png"
        picture.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (i, 0, 0)).save(picture)
    first = own_images.row(name, {"path": "a"} if name == "folder" else {})
    profile = study.resolve("smoke", n_images=16, batch_size=16)
    with pytest.raises(ParameterError, match=f"the same images as {first.title}; leave one"):
        own_images.plan([first, own_images.row(name, options)], profile, 1)
