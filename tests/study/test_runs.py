"""What committed runs say of their rows: against small studies written for the purpose, and the
study's own records computed again by plain loops."""

import base64
import itertools
import json
import math
import shutil
from collections import defaultdict

import make
import numpy as np
import pytest
from make import result
from scipy import stats as distributions

from synthlearn.core import files, stats
from synthlearn.core.errors import DataError
from synthlearn.learn.methods import METHODS
from synthlearn.study import records, runs
from synthlearn.study.records import Result
from synthlearn.study.rows import BASELINES
from synthlearn.study.runs import Runs

N = 200


class Study:
    """A study of its own: records and twins in an empty folder, ``right`` of the main probe given
    or drawn."""

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
        generator="",
        **more,
    ):
        right = self.rng.random(N) < 0.5 if right is None else right
        device = {"records": "cpu", "twins": "cuda"}[where]
        spec = {"kind": kind, "data": {"test_sha256": test}, "numerics": {"device": device}}
        if kind not in runs.UNTRAINED:
            spec |= {"method": {"name": method}, "source": {"generator": generator}}
        results = {name: result(each) for name, each in {"fc6_linear": right, **more}.items()}
        path = self.root / "results" / where / profile / f"{row}-s{seed}.json"
        records.write(path, make.run(row, seed, results, spec, profile))
        return records.read(path, records.Run)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    return Study(tmp_path)


# --- families ---


def test_every_method_and_every_untrained_kind_has_a_family():
    families = {kind.family for _, kind in METHODS.items()}
    assert all(families)
    assert runs.UNTRAINED.keys() == set(BASELINES)
    assert not families & set(runs.UNTRAINED.values())


def test_white_noise_is_a_family_of_its_own(study):
    white = study.add("noise-white", generator="noise-white")
    assert runs.family(white) == "white noise" != runs.family(study.add("a"))
    assert runs.family(study.add("pixels", kind="raw_pixels")) == "pixels"


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
    every = runs.committed("cpu")
    top1 = {row: [run.main.top1 for run in each] for row, each in every.items()}
    for rows in ("ab", "cd", "e"):
        s = runs.spread(every[rows[0]].first)
        assert s == runs.spread(every[rows[-1]][-1])
        assert s.variance == pytest.approx(np.mean([np.var(top1[row], ddof=1) for row in rows]))
        assert s.df == sum(len(top1[row]) - 1 for row in rows)
    assert runs.spread(study.add("alone", kind="random")) == stats.Spread()


# --- runs ---


def test_a_twin_is_a_further_run_of_its_row(study):
    first, other = study.add("a", 0), study.add("a", 1)
    assert runs.committed("cpu") == {"a": Runs((first, other))}
    twin = study.add("a", 1, where="twins")
    every = runs.committed("cpu")
    assert every == {"a": Runs((first, other, twin))}
    assert every["a"].by_seed == {0: first, 1: other}
    assert every["a"].accuracy().runs == 3 and runs.spread(first).df == 2
    assert runs.committed("gpu") == {}


def test_the_committed_runs_are_all_files_of_records_and_twins():
    counted = defaultdict(int)
    for path in itertools.chain(
        *((files.root() / "results" / kind / "cpu").glob("*.json") for kind in ("records", "twins"))
    ):
        counted[path.stem.rpartition("-s")[0]] += 1
    every = runs.committed("cpu")
    assert {row: len(each) for row, each in every.items()} == counted
    assert sum(counted.values()) > 300
    # a twin is another spec: none is counted twice
    assert all(len({run.id for run in each}) == len(each) for each in every.values())


def test_a_new_record_counts_at_once(study):
    """Within one process too, as when a chapter makes its rows: added or taken away, a record or a
    twin."""
    first = study.add("a", 0, np.arange(N) < 100)
    assert runs.spread(first) == stats.Spread()
    assert Runs((first,)).accuracy().over == "images"
    study.add("a", 1, np.arange(N) < 110)
    assert runs.spread(first).df == 1
    assert runs.spread(first).variance == pytest.approx(0.05**2 / 2)
    study.add("a", 1, np.arange(N) < 110, where="twins")
    assert runs.spread(first).df == 2
    (study.root / "results" / "twins" / "cpu" / "a-s1.json").unlink()
    assert runs.spread(first).df == 1
    shutil.rmtree(study.root / "results")
    assert runs.spread(first) == stats.Spread()


def test_nothing_is_known_of_the_spread_in_smoke(study):
    """Not even where the study has many runs of the row: its settings are others. An estimate is
    over images alone, and says so."""
    for seed in range(3):
        study.add("a", seed)
    smoke = Runs(tuple(study.add("a", seed, profile="smoke") for seed in range(2)))
    shutil.rmtree(study.root / "results" / "records" / "smoke")  # they are in runs/, not committed
    for e in (smoke.accuracy(), smoke[:1].difference(smoke[1:])):
        assert e.over == "images" and math.isinf(e.df)
    assert runs.spread(smoke.first) == stats.Spread()


# --- test sets and probes ---


def test_rows_on_other_test_images_are_not_compared_nor_averaged(study):
    a, b, far = study.add("a"), study.add("b"), study.add("far", test="b")
    assert Runs((a,)).difference(Runs((b,))).n == N
    with pytest.raises(DataError, match="a and far were measured on different test images"):
        Runs((a,)).difference(Runs((far,)))
    with pytest.raises(DataError, match="records of a: their test sets differ"):
        Runs((a, far)).accuracy()
    with pytest.raises(DataError, match="their test sets differ"):
        Runs((a, far)).difference(Runs((b,)))


def test_runs_on_other_test_images_say_nothing_of_the_spread(study):
    """Of fewer images, or harder ones, runs lie further apart."""
    for seed in range(3):
        near = study.add("a", seed)
        far = study.add("far", seed, test="b", right=np.arange(N) < 40 * seed)
    assert runs.spread(near).df == 2 == runs.spread(far).df
    assert runs.spread(far).variance == pytest.approx(0.2**2)
    assert runs.spread(study.add("other", test="c")) == stats.Spread()


def test_a_probe_that_only_some_runs_have_is_pooled_over_those(study):
    knn = [np.arange(N) < 60, np.arange(N) < 80]
    both = Runs(tuple(study.add("a", seed, fc6_knn=knn[seed]) for seed in range(2)))
    without = study.add("a", 2)
    assert runs.spread(both.first, "fc6_knn") == stats.Spread(
        pytest.approx(0.1**2 / 2), 1, pytest.approx(0.3 * 0.6 / ((0.3 * 0.7 + 0.4 * 0.6) / 2))
    )
    assert runs.spread(both.first).df == 2
    assert both.accuracy("fc6_knn").mean == pytest.approx(0.35)
    assert both.has("fc6_knn") and not Runs((*both, without)).has("fc6_knn")


def test_rows_that_are_all_right_or_all_wrong_have_estimates_too(study):
    for seed in range(2):
        good, bad = study.add("good", seed, np.ones(N)), study.add("bad", seed, np.zeros(N))
    e = Runs((good,)).difference(Runs((bad,)))
    assert e.mean == 1 and e.error == 0 and e.p == 0 and Runs((good,)).accuracy().mean == 1


def test_the_main_probe_is_fc6_then_pooled_then_the_features_themselves():
    names = ("fc6_linear", "pooled_linear", "linear")
    results = {name: result(np.arange(N) < 10 * i) for i, name in enumerate(names, 1)}
    for name in names:
        run = make.run("a", 0, dict(reversed(results.items())), {})
        assert run.main == run.result() == results[name] == run.result(name)
        del results[name]


# --- the best of many ---


def accuracies(rows):
    """Runs of rows whose main probe has these accuracies."""
    return {
        name: Runs(
            tuple(
                make.run(name, seed, {"fc6_linear": Result(float(x), 0.0, 0.0, N)}, {})
                for seed, x in enumerate(each)
            )
        )
        for name, each in rows.items()
    }


def test_the_best_of_equal_rows_does_not_look_better_than_they_are():
    """Twelve rows of four runs of sd 1 and truth 0, 1,000 times: the halves' mean is unbiased
    (standard error 0.02), the best row's own is 0.8 too high."""
    rng, fair, naive = np.random.default_rng(1), [], []
    for draw in rng.normal(size=(1000, 12, 4)):
        rows = accuracies({f"row{i}": each for i, each in enumerate(draw)})
        parts, chosen = runs.best(rows)
        fair.append(sum(w * np.mean([run.main.top1 for run in each]) for w, each in parts))
        naive.append(draw.mean(1).max())
        assert set(chosen) <= rows.keys() and sum(w for w, _ in parts) == 1
    assert np.mean(fair) == pytest.approx(0, abs=0.07) and np.mean(naive) > 0.7


def test_the_best_is_chosen_where_it_is_clear_and_single_runs_are_left_out():
    parts, chosen = runs.best(accuracies({"a": [0.1, 0.2], "b": [0.8, 0.7, 0.9], "c": [0.99]}))
    assert chosen == ("b",) and [len(each) for _, each in parts] == [1, 2]


# --- the study's own records, computed again ---


def bits(measured):
    """Outcomes as one whole number, an image a binary digit: counting those that two runs have in
    common is one `and`."""
    return int.from_bytes(base64.b64decode(measured["correct"]), "big") >> (-measured["n"] % 8)


class Again:
    """Means, intervals and differences of the committed cpu records from the JSON files alone, pair
    of runs by pair of runs."""

    def __init__(self):
        self.rows = defaultdict(list)
        for kind in ("records", "twins"):
            for path in sorted((files.root() / "results" / kind / "cpu").glob("*.json")):
                self.rows[json.loads(path.read_text())["row"]].append(json.loads(path.read_text()))
        self.n, within, shares = 10_000, defaultdict(list), defaultdict(list)
        for every in self.rows.values():
            tops = [self.top1(r) for r in every]
            within[self.family(every[0])].append(
                (sum((x - sum(tops) / len(tops)) ** 2 for x in tops), len(tops) - 1)
            )
            if len(every) > 1:
                shares[self.family(every[0])].append(
                    self.common(every) / (sum(x * (1 - x) for x in tops) / len(tops))
                )
        self.df = {name: sum(df for _, df in each) for name, each in within.items()}
        self.variance = {
            name: sum(ss for ss, _ in each) / self.df[name]
            for name, each in within.items()
            if self.df[name]  # of a network that others trained there is one
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
        """of_runs: [(variance, df)] by family. Satterthwaite over those; images by Cochran's
        quantile, at 0.005 exactly."""
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


ROWS = (
    "dead_leaves-mixed",
    "real",
    "random",
    "noise-white",
    "stylegan-oriented",
    "mosaic-named.stablerep",
    "real.simclr",
    "real.supervised",
    "programs-100",
    "mixed-convex",
)
PAIRS = (
    ("dead_leaves-mixed", "dead_leaves-textures"),
    ("noise-white", "random"),
    ("real", "stylegan-oriented"),
    ("mosaic-named.stablerep", "real.simclr"),
    ("real.supervised", "raw_pixels"),
)


def test_every_record_counts_its_right_images_rightly(again):
    for every in again.rows.values():
        assert all(
            m["top1"] == pytest.approx(bits(m).bit_count() / m["n"], abs=1e-12)
            for r in every
            for m in r["results"].values()
            if "correct" in m
        )


def interval(e):
    return e.mean, e.low, e.high


@pytest.mark.parametrize("row", ROWS)
def test_means_and_intervals_are_those_of_plain_loops(again, row):
    e = runs.committed("cpu")[row].accuracy()
    assert interval(e) == pytest.approx(again.estimate(again.rows[row]), abs=1e-6)
    assert e.runs == len(again.rows[row])


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_differences_are_those_of_plain_loops(again, a, b):
    every = runs.committed("cpu")
    e = every[a].difference(every[b])
    assert interval(e) == pytest.approx(again.difference(again.rows[a], again.rows[b]), abs=1e-6)


def test_a_row_of_one_run_takes_its_familys_share_of_the_images(again):
    row = "dead_leaves-mixed"
    e = runs.committed("cpu")[row][:1].accuracy()
    assert interval(e) == pytest.approx(again.estimate(again.rows[row][:1]), abs=1e-6)
    assert e.runs == 1 and e.over == "runs and images"
