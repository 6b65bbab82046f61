"""Encoders as units: laws by simulation in a world like the records', and against sums by hand."""

import dataclasses

import numpy as np
import pytest
from make import measured, part
from scipy import stats as distributions

from synthlearn.core import intervals, stats
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.measure.robustness import CORRUPTED, MeanAccuracy
from synthlearn.study import claims, runs, store, units
from synthlearn.study.records import MeasurementRecord, Spec

SD = 0.035  # of encoders, on structured tasks, in gain over chance
TASKS = {
    "coil100-azimuth": (1 / 12, 1440),
    "count": (1 / 8, 2000),
    "position": (1 / 8, 2000),
    "orientation": (1 / 8, 2000),
    "size": (1 / 6, 2000),
}


def task(group, gain, chance=0.0, n=2000):
    top1 = chance + gain * (1 - chance)
    return part("transfer", "", group=group, gain=gain, top1=top1, chance=chance, n=n)


def table(rows, measurement="transfer"):
    """Records of a measurement: row → the parts of each encoder."""
    return {
        name: [measured(measurement, name, seed, parts) for seed, parts in enumerate(encoders)]
        for name, encoders in rows.items()
    }


def world(rng, level, encoders=2, sd=SD):
    """Transfer of rows at true gains ``level``: an encoder's deviation common to all tasks; of the
    images' half common to a row, half an encoder's own.
    """
    found = {}
    for name, gain in level.items():
        common = {t: rng.normal() for t in TASKS}
        found[name] = [{} for _ in range(encoders)]
        for parts in found[name]:
            own = rng.normal(0, sd)
            for t, (chance, n) in TASKS.items():
                p = chance + gain * (1 - chance)
                luck = (common[t] + rng.normal()) * np.sqrt(0.5 * p * (1 - p) / n) / (1 - chance)
                parts[t] = task("structured", gain + own + luck, chance, n)
    return table(found)


def quantile(df):
    """Of Student's t at the level where a sum of variances meets it exactly."""
    return distributions.t.isf(stats.MATCHED / 2, df)


def made(values, images=0.0, n=10_000):
    """Units of given values: row → one per encoder."""
    return units.Units(
        {name: tuple(each) for name, each in values.items()},
        dict.fromkeys(values, images),
        n,
        stats.pooled(values.values()),
    )


def test_intervals_over_encoders_hold_the_truth_as_often_as_they_say():
    """22 rows of two encoders, five tasks, 300 studies: of rows, and of differences."""
    rng, rows, pairs = np.random.default_rng(0), [], []
    for _ in range(300):
        level = {f"row {i}": gain for i, gain in enumerate(rng.uniform(0.2, 0.55, 22))}
        found = units.group(world(rng, level), "structured")
        names = list(level)
        for a, b in zip(names[::2], names[1::2], strict=True):
            e, d = found.estimate(a), found.apart(a, b)
            rows.append(e.low <= level[a] <= e.high)
            pairs.append(d.low <= level[a] - level[b] <= d.high)
    assert 0.935 < np.mean(rows) < 0.965 and 0.935 < np.mean(pairs) < 0.965
    assert found.spread.df == 22 and found.estimate("row 0").over == "encoders and images"


def test_test_images_alone_hold_the_truth_far_too_seldom():
    """What the intervals over encoders replace."""
    rng, inside = np.random.default_rng(1), []
    for _ in range(300):
        found = units.group(world(rng, {"row": 0.45}), "structured")
        half = intervals.Z * found.images["row"] ** 0.5
        inside.append(abs(np.mean(found.values["row"]) - 0.45) < half)
    assert np.mean(inside) < 0.5


def test_a_contrast_is_the_sum_by_hand():
    found = units.Units(
        {"a": (0.50, 0.54), "b": (0.40, 0.44, 0.48), "c": (0.3, 0.32)},
        {"a": 1e-5, "b": 2e-5, "c": 4e-5},
        2000,
        stats.Spread(0.0009, 19, 1.0),
    )
    e = found.contrast({"a": 1, "b": -0.5, "c": -0.5})
    of_encoders, of_images = (
        0.0009 * (1 / 2 + 0.25 / 3 + 0.25 / 2),
        1e-5 + 0.25 * 2e-5 + 0.25 * 4e-5,
    )
    assert e.mean == pytest.approx(0.52 - 0.22 - 0.155) and e.error == pytest.approx(
        (of_encoders + of_images) ** 0.5
    )
    assert quantile(e.df) == pytest.approx(
        (of_encoders * quantile(19) + of_images * quantile(np.inf)) / e.error**2
    ) and (e.runs, e.n) == (2, 2000)
    assert found.apart("a", "b") == found.contrast({"a": 1.0, "b": -1.0}) and found.estimate(
        "a"
    ) == found.contrast({"a": 1.0})
    with pytest.raises(
        DataError, match="d: not measured here, only a, b, c; measure it or leave it out"
    ):
        found.apart("a", "d")


def test_a_groups_gain_is_the_mean_of_its_tasks_and_of_no_others():
    parts = {
        "a": task("natural", 0.3, 0.1, 400),
        "b": task("natural", 0.1, 0.01, 2000),
        "c": task("structured", 0.6),
    }
    other = {**parts, "b": task("natural", 0.2, 0.01, 2000)}
    found = table({"row": [parts, other], "one": [parts]})
    natural = units.group(found, "natural")
    assert natural.values == {
        "row": pytest.approx((0.2, 0.25)),
        "one": pytest.approx((0.2,)),
    } and units.groups(found) == ["natural", "structured"]
    a, b = ((p.top1 * (1 - p.top1) / p.n / (1 - p.chance) ** 2) for p in (parts["a"], parts["b"]))
    assert natural.images["one"] == pytest.approx((a + b) / 4) and natural.n == 2400
    assert natural.spread.variance == pytest.approx(0.05**2 / 2) and natural.spread.df == 1
    assert units.gains(found, ["a", "c"]).estimate("one").mean == pytest.approx(0.45)


def test_draws_of_a_noise_are_no_further_encoders():
    """Ten draws or a thousand of the same means: one number per encoder."""

    def private(draws):
        each = {
            name: [mean + 0.01 * np.linspace(-1, 1, draws) for mean in means]
            for name, means in {"a": (0.44, 0.41), "b": (0.33, 0.34)}.items()
        }

        def of(x):
            return {"1": part("private", "1", each=list(x), top1=x.mean(), n=10_000)}

        return table({name: list(map(of, draws)) for name, draws in each.items()}, "private")

    few, many = (units.part(private(draws), "1") for draws in (10, 1000))
    assert few.values["a"] == pytest.approx((0.44, 0.41)) and few.spread.df == 2
    e, d = few.apart("a", "b"), many.apart("a", "b")
    assert (e.mean, e.error, e.df, e.runs) == pytest.approx(
        (d.mean, d.error, d.df, d.runs)
    ) and e.runs == 2
    assert e.error > (0.03**2 / 4) ** 0.5


def test_one_encoder_has_its_draws_share_and_says_nothing_of_others():
    draws = np.array([0.30, 0.32, 0.28, 0.31])
    mean, low, high = intervals.paired_t(draws)
    one = part("private", "1", each=list(draws), top1=mean, low=low, high=high, n=1000)
    found = units.part(table({"random": [{"1": one}]}, "private"), "1")
    e = found.estimate("random")
    assert e.over == "images and draws" and e.df == np.inf and e.runs == 1
    assert e.error**2 == pytest.approx(draws.var(ddof=1) / 4 + mean * (1 - mean) / 1000)


@pytest.mark.parametrize("what", ["layers", "few_shot"])
def test_linear_probes_of_one_encoder_take_its_share_from_the_main_probe(what):
    found = claims.known("cpu").measured[what]
    assert {len(mine) for mine in found.values()} == {1}
    name = units.parts(found)[-1]
    lent = units.part(found, name)
    families = {runs.spread(runs.committed("cpu")[row].first) for row in found}
    assert lent.over.endswith(
        "; the encoder's share taken from the main probe"
    ) and lent.spread.df == sum(s.df for s in families)
    assert (
        min(s.variance for s in families)
        <= lent.spread.variance
        <= max(s.variance for s in families)
    )
    assert lent.estimate("real").error > lent.spread.variance**0.5
    elsewhere = {
        row: [
            dataclasses.replace(r, spec=Spec({**r.spec.content, "data": {"test_sha256": "other"}}))
            for r in records
        ]
        for row, records in found.items()
    }
    assert (
        units.part(elsewhere, name).over.startswith("images")
        and units.part(elsewhere, name).spread.df == 0
    )


def test_fine_tuning_of_one_encoder_is_over_images_alone():
    found = claims.known("cpu").measured["fine_tuning"]
    e = units.part(found, "20 epochs").estimate("real")
    assert e.over == "images" and e.error == pytest.approx((e.mean * (1 - e.mean) / e.n) ** 0.5)


def test_raw_pixels_have_no_encoder():
    values = {"raw_pixels": (0.30, 0.31), "a": (0.40, 0.44), "b": (0.50, 0.46)}
    found = units.gains(
        table({name: [{"t": task("natural", v)} for v in each] for name, each in values.items()}),
        ["t"],
    )
    assert found.spread == stats.pooled([(0.40, 0.44), (0.50, 0.46)])
    e, d = found.estimate("raw_pixels"), found.apart("a", "raw_pixels")
    assert e.over == "images" and e.error**2 == pytest.approx(found.images["raw_pixels"])
    assert d.error**2 == pytest.approx(
        found.spread.variance / 2 + found.images["a"] + found.images["raw_pixels"]
    )


def test_parts_come_in_their_order_and_the_largest_memory_is_the_whole():
    names = ["10", "100", "1000", "30", "influential", "without a class"]
    parts = {name: part("memory", name, top1=0.5, n=100) for name in names if name.isdigit()}
    parts |= {name: part("memory", name, n=100) for name in names if not name.isdigit()}
    parts["influential"] = part("memory", "influential", value=0.2, n=100)
    memory = table({"row": [parts]}, "memory")
    sizes = [name for name in units.parts(memory) if name.isdigit()]
    assert sizes == ["10", "30", "100", "1000"] and units.largest_memory(memory) == "1000"
    lengths = {name: part("fine_tuning", name) for name in ("20 epochs", "5 epochs")}
    assert units.parts(table({"row": [lengths]}, "fine_tuning")) == ["5 epochs", "20 epochs"]
    influential = units.part(memory, "influential", "value")
    assert influential.values == {"row": (0.2,)} and influential.images == {"row": 0.0}


NEAR = {
    "equal": [0.5] * 18,
    "three equal, the others far": [0.5] * 3 + [0.1] * 15,
    "apart": list(np.linspace(0.2, 0.6, 18)),
}


@pytest.mark.parametrize("levels", NEAR.values(), ids=NEAR)
def test_the_best_of_many_is_unbiased_and_covered_when_chosen_on_the_other_half(levels):
    """Two encoders of each of 18 sets and of real images: what is chosen has on average the value
    that is reported; the naive best has a better one.
    """
    rng, off, naive, inside = np.random.default_rng(2), [], [], []
    names = [f"set {i}" for i in range(len(levels))]
    true = dict(zip(names, levels, strict=True))
    for _ in range(1500):
        values = {name: true[name] + rng.normal(0, SD, 2) for name in names} | {
            "real": 0.5 + rng.normal(0, SD, 2)
        }
        gap, _ = units.best_gap(made(values), names, "real")
        picked = [
            true[max(names, key=lambda name, half=half: values[name][half])] for half in (0, 1)
        ]
        truth = 0.5 - np.mean(picked)
        off.append(gap.mean - truth)
        inside.append(gap.low <= truth <= gap.high)
        naive.append(
            np.mean(values["real"])
            - max(np.mean(values[name]) for name in names)
            - (0.5 - max(levels))
        )
    assert abs(np.mean(off)) < 3.5 * np.std(off) / len(off) ** 0.5
    assert 0.94 < np.mean(inside) < 0.98
    assert np.mean(naive) < -0.005 and (levels[0] != levels[-1] or np.mean(naive) < -0.03)


def test_errors_of_two_halves_agree_at_most_as_far_as_with_three_equals():
    """The constant behind best_gap: the mean product of the reports' errors, in units of their
    variance.
    """
    rng = np.random.default_rng(3)

    def agreement(levels):
        a, b = rng.normal(size=(2, 200_000, len(levels)))
        i, j = (np.argmax(np.array(levels) + x, 1)[:, None] for x in (a, b))
        return float((np.take_along_axis(b, i, 1) * np.take_along_axis(a, j, 1)).mean())

    assert agreement([0, 0, 0]) == pytest.approx(stats.CHOICE, abs=0.01)
    for levels in ([0, 0], [0] * 4, [0] * 18, [0, 0, 0.5], [0, 0, 0, -1], [0, 1, 2, 3]):
        assert agreement(levels) < stats.CHOICE + 0.01


def test_what_is_chosen_is_named_and_reported_on_the_other_encoders():
    found = made({"real": (0.6, 0.6), "a": (0.50, 0.40), "b": (0.44, 0.46), "one": (0.9,)})
    gap, names = units.best_gap(found, ["a", "b", "one"], "real")
    assert names == ("a", "b") and gap.mean == pytest.approx(
        0.6 - (0.40 + 0.44) / 2
    )  # a by its first encoder, b by its second; one encoder: left out
    assert (
        gap.error**2 == pytest.approx(found.spread.variance * (1 / 2 + (1 + stats.CHOICE) / 2))
        and gap.runs == 2
    )
    same, names = units.best_gap(
        made({"real": (0.6, 0.6), "a": (0.5, 0.48, 0.52), "b": (0.4, 0.4, 0.4)}), ["a", "b"], "real"
    )
    assert names == ("a",) and same.mean == pytest.approx(0.6 - (0.48 + 0.51) / 2)


def test_a_choice_by_one_encoder_says_that_it_is_reported_on_itself():
    gap, names = units.best_gap(
        units.Units(
            {"real": (0.6,), "a": (0.5,), "b": (0.4,)},
            {"real": 1e-4, "a": 1e-4, "b": 1e-4},
            1000,
            stats.Spread(),
            "images",
        ),
        ["a", "b"],
        "real",
    )
    assert (
        names == ("a",)
        and gap.over == "images; chosen and reported on the same encoder"
        and gap.runs == 1
    )
    assert gap.error**2 == pytest.approx(2e-4)


def test_gaps_by_group_choose_among_generators_without_variants():
    def record(natural, structured):
        return {"a": task("natural", natural), "b": task("structured", structured)}

    found = table(
        {
            "real": [record(0.6, 0.5), record(0.6, 0.5)],
            "random": [record(0.9, 0.9), record(0.9, 0.9)],
            "dead_leaves-mixed": [record(0.3, 0.59), record(0.3, 0.61)],
            "fractals-sigma": [record(0.5, 0.4), record(0.5, 0.4)],
            "dead_leaves-mixed.mild": [record(0.9, 0.9), record(0.9, 0.9)],
        }
    )
    gaps = units.closest(found)
    assert {group: names for group, (_, names) in gaps.items()} == {
        "natural": ("fractals-sigma",),
        "structured": ("dead_leaves-mixed",),
    }
    assert [gap.mean for gap, _ in gaps.values()] == pytest.approx([0.1, -0.1])
    assert (
        units.closest({name: mine for name, mine in found.items() if name != "real"})
        == {}
        == units.closest({})
    )


def test_images_and_encoders_each_take_their_share_of_the_quantile():
    e = stats.of_units(0.1, 0.5, 1e-4, stats.Spread(4e-4, 5, 1.0), 2, 1000)
    assert (e.mean, e.error**2, quantile(e.df)) == pytest.approx(
        (0.1, 3e-4, (2 * quantile(5) + quantile(np.inf)) / 3)
    )
    assert e.high - e.mean == pytest.approx(distributions.t.ppf(0.975, e.df) * e.error)
    unknown = stats.of_units(0.1, 0.5, 1e-4, stats.Spread(), 1, 1000, "images")
    assert (unknown.error**2, unknown.df) == pytest.approx((1e-4, np.inf))


def test_a_part_or_a_field_that_there_is_not_is_named():
    recorded = {"random": store.committed(MeasurementRecord, "cpu", "layers")[:1]}
    assert units.part(recorded, "conv1").n
    with pytest.raises(ParameterError, match="layers has no part 'conv9'; parts are conv1, "):
        units.part(recorded, "conv9")
    with pytest.raises(ParameterError, match="field = 'value' of a part: must be one of n, top1"):
        units.part(recorded, "conv1", "value")


def arms_of(*encoders, n=10_000):
    """Records of encoders: for each, arm → top-1, frozen with 1,000 images a class; other parts
    beside them lie elsewhere."""

    def parts(each):
        there = {"per_class": 1000, "epochs": 0, "n": n}
        right = {a: part("initialisation", a, arm=a, top1=x, **there) for a, x in each.items()}
        few = {
            "few": part("initialisation", "", arm="random", top1=0.9, **{**there, "per_class": 9})
        }
        tuned = {
            "tuned": part("initialisation", "", arm="random", top1=0.9, **{**there, "epochs": 5})
        }
        return {**right, **few, **tuned}

    return table({"row": [parts(each) for each in encoders]}, "initialisation")["row"]


def test_arms_are_of_one_size_and_way_and_their_spread_is_pooled():
    a = {"random": 0.40, "shuffled": 0.42, "trained": 0.50}
    b = {"random": 0.42, "shuffled": 0.42, "trained": 0.54}
    found = units.arms(arms_of(a, b), 1000)
    assert found.values == {
        "random": (0.40, 0.42),
        "shuffled": (0.42, 0.42),
        "trained": (0.50, 0.54),
    }
    assert found.spread.df == 3
    assert found.spread.variance == pytest.approx((0.01**2 * 2 + 0.02**2 * 2) / 3)
    assert units.arms(arms_of(a, b), 1000, tuned=True).values == {"random": (0.9, 0.9)}
    share = (0.24 + 0.2436) / 2 / 10_000
    assert found.estimate("random").fixed == pytest.approx(share)
    assert found.estimate("random").over == "encoders and images"
    alone = units.arms(arms_of(a), 1000)
    assert alone.estimate("random").over == "images"


def test_a_share_kept_is_that_of_the_gain_and_unbounded_where_there_is_none():
    clear = arms_of(*({"random": 0.4, "shuffled": 0.42 + d, "trained": 0.5 - d} for d in (0, 1e-3)))
    value, low, high = units.kept(units.arms(clear, 1000), "shuffled")
    assert value == pytest.approx(0.0205 / 0.0995)
    assert 0 < low < value < high < 0.5
    none = arms_of(*({"random": 0.4, "shuffled": 0.42, "trained": 0.4 + d} for d in (0, 1e-3)))
    assert np.isinf(units.kept(units.arms(none, 1000), "shuffled")[1:]).all()
    assert units.kept(units.arms(clear, 1000), "trained") == pytest.approx((1, 1, 1))


def test_images_count_for_a_mean_over_kinds_by_how_far_they_lie_apart():
    n, apart = 4000, 0.5
    for digits, variance in (("f0", 0.25), ("78", (1 / 30) ** 2)):  # all or none; 7 or 8 of 15
        mean = MeanAccuracy(n, apart, apart, apart, digits * (n // 2))
        of = table({"row": [{CORRUPTED: mean}] * 2}, "robustness")
        assert units.part(of, CORRUPTED).images["row"] == pytest.approx(variance / n)


def test_a_kept_shares_interval_holds_the_truth_at_least_as_often_as_it_says():
    """300 studies of three encoders whose arms err on images of their own."""
    rng, truth, inside, finite = np.random.default_rng(1), 0.4, 0, 0
    level = {"random": 0.42, "shuffled": 0.42 + truth * 0.06, "trained": 0.48, "spectrum": 0.43}
    for _ in range(300):
        luck = {a: rng.normal(0, np.sqrt(x * (1 - x) / 10_000)) for a, x in level.items()}
        each = [{a: x + luck[a] + rng.normal(0, 0.006) for a, x in level.items()} for _ in range(3)]
        _, low, high = units.kept(units.arms(arms_of(*each), 1000), "shuffled")
        inside += low <= truth <= high
        finite += np.isfinite(low) and np.isfinite(high)
    assert inside >= 277  # 95 % of 300, less two and a half standard deviations
    assert finite > 290
