"""What committed runs say of their rows: against small studies written for the purpose, and the study's own records computed again by plain loops."""

import base64
import itertools
import json
import math
import shutil
from collections import defaultdict

import numpy as np
import pytest
from scipy import stats as distributions

from synthlearn.core import files, stats
from synthlearn.core.errors import DataError
from synthlearn.learn.methods import METHODS
from synthlearn.study import inference, records
from synthlearn.study.rows import KINDS, TRAINED

N = 200


class Study:
    """A study of its own: records and twins in an empty folder, ``right`` of the main measurement given or drawn."""

    def __init__(self, root):
        self.root, self.rng = root, np.random.default_rng(0)

    def add(
        self,
        row,
        seed=0,
        right=None,
        method="align_uniform",
        kind="generator",
        test="a",
        profile="cpu",
        where="records",
        **more,
    ):
        right = self.rng.random(N) < 0.5 if right is None else np.asarray(right)
        device = {"records": "cpu", "twins": "cuda"}[where]
        spec = {
            "kind": kind,
            "seed": seed,
            "row": row,
            "data": {"test_sha256": test},
            "numerics": {"device": device},
        }
        if kind in TRAINED:
            spec["method"] = {"name": method}
        measured = {
            name: {"correct": records.pack(r), "n": len(r), "top1": float(np.mean(r))}
            for name, r in {"fc6_linear": right, **more}.items()
        }
        path = self.root / "results" / where / profile / f"{row}-s{seed}.json"
        records.write(
            path,
            {
                "id": files.digest(spec),
                "row": row,
                "profile": profile,
                "spec": spec,
                "results": measured,
            },
        )
        return records.read(path)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    return Study(tmp_path)


# --- families ---------------------------------------------------------------------------------------------------------------------------------------------


def test_every_method_and_every_untrained_kind_has_a_family():
    assert {
        name: kind.family for name, kind in METHODS.items()
    } == inference.FAMILIES and inference.UNTRAINED.keys() == set(KINDS) - set(TRAINED)
    assert not set(inference.FAMILIES.values()) & set(inference.UNTRAINED.values())


def test_a_method_without_a_family_and_white_noise_are_families_of_their_own(study):
    own = [study.add("strange", seed, method="cosine") for seed in range(3)]
    assert inference.family(own[0]) == "cosine" and inference.spread(own[0]).df == 2
    white = study.add("noise-white")
    white["spec"]["source"] = {"generator": "noise-white"}
    assert inference.family(white) == "white noise" != inference.family(study.add("a"))


def test_the_spread_is_pooled_within_a_family_and_not_across(study):
    for row, method in (
        ("a", "align_uniform"),
        ("b", "align_uniform"),
        ("c", "simclr"),
        ("d", "moco"),
        ("e", "supervised"),
    ):
        for seed in range(2 if row == "e" else 3):
            study.add(row, seed, method=method)
    found = inference.committed("cpu")
    top1 = {row: [r["results"]["fc6_linear"]["top1"] for r in runs] for row, runs in found.items()}
    for rows in ("ab", "cd", "e"):
        s = inference.spread(found[rows[0]][0])
        assert s == inference.spread(found[rows[-1]][-1]) and s.variance == pytest.approx(
            np.mean([np.var(top1[row], ddof=1) for row in rows])
        )
        assert s.df == sum(len(top1[row]) - 1 for row in rows)
    assert inference.spread(study.add("alone", kind="random")) == stats.Spread()


# --- runs -------------------------------------------------------------------------------------------------------------------------------------------------


def test_a_twin_is_a_further_run_of_its_row(study):
    first, other = study.add("a", 0), study.add("a", 1)
    assert inference.committed("cpu") == {"a": [first, other]}
    twin = study.add("a", 1, where="twins")
    found = inference.committed("cpu")
    assert (
        found == {"a": [first, other, twin]}
        and inference.estimate(found["a"]).runs == 3
        and inference.spread(first).df == 2
    )
    assert inference.committed("gpu") == {}


def test_the_committed_runs_are_all_files_of_records_and_twins():
    counted = defaultdict(int)
    for path in itertools.chain(
        *((files.root() / "results" / kind / "cpu").glob("*.json") for kind in ("records", "twins"))
    ):
        counted[path.stem.rpartition("-s")[0]] += 1
    found = inference.committed("cpu")
    assert {row: len(runs) for row, runs in found.items()} == counted and sum(
        counted.values()
    ) > 300
    assert all(
        len({r["id"] for r in runs}) == len(runs) for runs in found.values()
    )  # a twin is another spec: none is counted twice


def test_a_new_record_counts_at_once(study):
    """Within one process too, as when a chapter makes its rows: added or taken away, a record or a twin."""
    first = study.add("a", 0, np.arange(N) < 100)
    assert (
        inference.spread(first) == stats.Spread() and inference.estimate([first]).over == "images"
    )
    study.add("a", 1, np.arange(N) < 110)
    assert inference.spread(first).df == 1 and inference.spread(first).variance == pytest.approx(
        0.05**2 / 2
    )
    study.add("a", 1, np.arange(N) < 110, where="twins")
    assert inference.spread(first).df == 2
    (study.root / "results" / "twins" / "cpu" / "a-s1.json").unlink()
    assert inference.spread(first).df == 1
    shutil.rmtree(study.root / "results")
    assert inference.spread(first) == stats.Spread()


def test_nothing_is_known_of_the_spread_in_smoke(study):
    """Not even where the study has many runs of the row: its settings are others. An estimate is over images alone, and says so."""
    for seed in range(3):
        study.add("a", seed)
    smoke = [study.add("a", seed, profile="smoke") for seed in range(2)]
    shutil.rmtree(study.root / "results" / "records" / "smoke")  # they are in runs/, not committed
    for e in (inference.estimate(smoke), inference.difference(smoke[:1], smoke[1:])):
        assert e.over == "images" and math.isinf(e.df)
    assert inference.spread(smoke[0]) == stats.Spread()


# --- test sets and measurements -----------------------------------------------------------------------------------------------------------------------------


def test_rows_on_other_test_images_are_not_compared_nor_averaged(study):
    a, b, far = study.add("a"), study.add("b"), study.add("far", test="b")
    assert inference.difference([a], [b]).n == N
    with pytest.raises(DataError, match="a and far were measured on different test images"):
        inference.difference([a], [far])
    with pytest.raises(DataError, match="records of a: their test sets differ"):
        inference.estimate([a, far])
    with pytest.raises(DataError, match="their test sets differ"):
        inference.difference([a, far], [b])


def test_runs_on_other_test_images_say_nothing_of_the_spread(study):
    """Of fewer images, or harder ones, runs lie further apart."""
    for seed in range(3):
        mine, far = (
            study.add("a", seed),
            study.add("far", seed, test="b", right=np.arange(N) < 40 * seed),
        )
    assert inference.spread(mine).df == 2 == inference.spread(far).df and inference.spread(
        far
    ).variance == pytest.approx(0.2**2)
    assert inference.spread(study.add("other", test="c")) == stats.Spread()


def test_a_measurement_that_only_some_runs_have_is_pooled_over_those(study):
    knn = [np.arange(N) < 60, np.arange(N) < 80]
    found = [study.add("a", seed, fc6_knn=knn[seed]) for seed in range(2)] + [study.add("a", 2)]
    assert inference.spread(found[0], "fc6_knn") == stats.Spread(
        pytest.approx(0.1**2 / 2), 1, pytest.approx(0.3 * 0.6 / ((0.3 * 0.7 + 0.4 * 0.6) / 2))
    )
    assert inference.spread(found[0]).df == 2 and inference.estimate(
        found[:2], "fc6_knn"
    ).mean == pytest.approx(0.35)


def test_rows_that_are_all_right_or_all_wrong_have_estimates_too(study):
    for seed in range(2):
        good, bad = study.add("good", seed, np.ones(N)), study.add("bad", seed, np.zeros(N))
    e = inference.difference([good], [bad])
    assert e.mean == 1 and e.error == 0 and e.p == 0 and inference.estimate([good]).mean == 1


def test_the_main_measurement_is_fc6_then_pooled_then_the_features_themselves():
    results = {name: {"name": name} for name in ("linear", "pooled_linear", "fc6_linear")}
    for name in ("fc6_linear", "pooled_linear", "linear"):
        assert inference.metric({"results": results})["name"] == name
        del results[name]


# --- the best of many ---------------------------------------------------------------------------------------------------------------------------------------


def test_the_best_of_equal_rows_does_not_look_better_than_they_are():
    """Twelve rows of four runs of sd 1 and truth 0, 1,000 times: the halves' mean is unbiased (standard error 0.02), the best row's own is 0.8 too high."""
    rng, fair, naive = np.random.default_rng(1), [], []
    for draw in rng.normal(size=(1000, 12, 4)):
        rows = {
            f"row{i}": [{"results": {"fc6_linear": {"top1": x}}} for x in runs]
            for i, runs in enumerate(draw)
        }
        parts, chosen = inference.best(rows)
        fair.append(
            sum(w * np.mean([inference.metric(r)["top1"] for r in runs]) for w, runs in parts)
        )
        naive.append(draw.mean(1).max())
        assert set(chosen) <= rows.keys() and sum(w for w, _ in parts) == 1
    assert np.mean(fair) == pytest.approx(0, abs=0.07) and np.mean(naive) > 0.7


def test_the_best_is_found_where_it_is_clear_and_single_runs_are_left_out():
    rows = {
        name: [{"results": {"fc6_linear": {"top1": x}}} for x in runs]
        for name, runs in {"a": [0.1, 0.2], "b": [0.8, 0.7, 0.9], "c": [0.99]}.items()
    }
    parts, chosen = inference.best(rows)
    assert chosen == ("b",) and [len(runs) for _, runs in parts] == [1, 2]


# --- the study's own records, computed again ------------------------------------------------------------------------------------------------------------------


def bits(measured):
    """Outcomes as one whole number, an image a binary digit: counting those two runs have in common is one `and`."""
    return int.from_bytes(base64.b64decode(measured["correct"]), "big") >> (-measured["n"] % 8)


class Again:
    """Means, intervals and differences of the committed cpu records from the JSON files alone, pair of runs by pair of runs."""

    def __init__(self):
        self.rows = defaultdict(list)
        for kind in ("records", "twins"):
            for path in sorted((files.root() / "results" / kind / "cpu").glob("*.json")):
                self.rows[json.loads(path.read_text())["row"]].append(json.loads(path.read_text()))
        self.n, within, shares = 10_000, defaultdict(list), defaultdict(list)
        for runs in self.rows.values():
            tops = [self.top1(r) for r in runs]
            within[self.family(runs[0])].append(
                (sum((x - sum(tops) / len(tops)) ** 2 for x in tops), len(tops) - 1)
            )
            if len(runs) > 1:
                shares[self.family(runs[0])].append(
                    self.common(runs) / (sum(x * (1 - x) for x in tops) / len(tops))
                )
        self.df = {name: sum(df for _, df in each) for name, each in within.items()}
        self.variance = {
            name: sum(ss for ss, _ in each) / self.df[name] for name, each in within.items()
        }
        self.shared = {name: sum(each) / len(each) for name, each in shares.items()}

    @staticmethod
    def family(record):
        kind, method = record["spec"]["kind"], record["spec"].get("method", {}).get("name")
        if kind in ("raw_pixels", "mean_colours"):
            return "pixels"
        if record["spec"].get("source", {}).get("generator") == "noise-white":
            return "white noise"
        return {
            "simclr": "views",
            "moco": "views",
            "supcon": "many",
            "stablerep": "many",
            "stablerep_plus": "many",
            "clip": "many",
        }.get(method, method or kind)

    @staticmethod
    def main(record):
        return next(
            record["results"][name]
            for name in ("fc6_linear", "pooled_linear", "linear")
            if name in record["results"]
        )

    def top1(self, record):
        return bits(self.main(record)).bit_count() / self.n

    def covariance(self, r, s):
        return (bits(self.main(r)) & bits(self.main(s))).bit_count() / self.n - self.top1(
            r
        ) * self.top1(s)

    def common(self, runs):
        pairs = [self.covariance(r, s) for r in runs for s in runs if r is not s]
        return (
            sum(pairs) / len(pairs)
            if pairs
            else self.shared[self.family(runs[0])] * self.covariance(runs[0], runs[0])
        )

    def mean(self, runs):
        return sum(self.top1(r) for r in runs) / len(runs)

    def interval(self, value, of_runs, images):
        """of_runs: [(variance, df)] by family. Satterthwaite over those; images by Cochran's quantile, at 0.005 exactly."""
        runs, total = sum(v for v, _ in of_runs), sum(v for v, _ in of_runs) + images
        df = runs**2 / sum(v**2 / k for v, k in of_runs)
        wanted = (
            runs * distributions.t.isf(0.0025, df) + images * distributions.norm.isf(0.0025)
        ) / total
        low, high = (
            df,
            1e9,
        )  # by halving: the degrees of freedom at which Student's quantile is the wanted one
        while high / low > 1 + 1e-12:
            middle = math.sqrt(low * high)
            low, high = (
                (middle, high) if distributions.t.isf(0.0025, middle) > wanted else (low, middle)
            )
        half = distributions.t.isf(0.025, low) * math.sqrt(total)
        return value, value - half, value + half

    def estimate(self, runs):
        which = self.family(runs[0])
        return self.interval(
            self.mean(runs),
            [(self.variance[which] / len(runs), self.df[which])],
            self.common(runs) / self.n,
        )

    def difference(self, a, b):
        one, two = self.family(a[0]), self.family(b[0])
        across = sum(self.covariance(r, s) for r in a for s in b) / (len(a) * len(b))
        images = max(0, self.common(a) + self.common(b) - 2 * across) / self.n
        each = [
            (self.variance[one] / len(a), self.df[one]),
            (self.variance[two] / len(b), self.df[two]),
        ]
        return self.interval(
            self.mean(a) - self.mean(b),
            [(each[0][0] + each[1][0], self.df[one])] if one == two else each,
            images,
        )


@pytest.fixture(scope="module")
def again():
    return Again()


ROWS = ("dead_leaves-mixed", "real", "random", "noise-white", "stylegan-oriented", "mosaic-named.stablerep", "real.simclr", "real.supervised", "programs-100",
        "mixed-convex")  # fmt: skip
PAIRS = (("dead_leaves-mixed", "dead_leaves-textures"), ("noise-white", "random"), ("real", "stylegan-oriented"),
         ("mosaic-named.stablerep", "real.simclr"), ("real.supervised", "raw_pixels"))  # fmt: skip


def test_every_record_counts_its_right_images_rightly(again):
    for runs in again.rows.values():
        assert all(
            m["top1"] == pytest.approx(bits(m).bit_count() / m["n"], abs=1e-12)
            for r in runs
            for m in r["results"].values()
            if "correct" in m
        )


@pytest.mark.parametrize("row", ROWS)
def test_means_and_intervals_are_those_of_plain_loops(again, row):
    e = inference.estimate(inference.committed("cpu")[row])
    assert (e.mean, e.low, e.high) == pytest.approx(
        again.estimate(again.rows[row]), abs=1e-6
    ) and e.runs == len(again.rows[row])


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_differences_are_those_of_plain_loops(again, a, b):
    found = inference.committed("cpu")
    e = inference.difference(found[a], found[b])
    assert (e.mean, e.low, e.high) == pytest.approx(
        again.difference(again.rows[a], again.rows[b]), abs=1e-6
    )


def test_a_row_of_one_run_takes_its_familys_share_of_the_images(again):
    row = "dead_leaves-mixed"
    found = inference.committed("cpu")[row][:1]
    e = inference.estimate(found)
    assert (
        (e.mean, e.low, e.high) == pytest.approx(again.estimate(again.rows[row][:1]), abs=1e-6)
        and e.runs == 1
        and e.over == "runs and images"
    )
