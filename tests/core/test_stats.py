"""Statistics against simulated studies whose truth is known, closed forms and scipy."""

import dataclasses
import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as distributions

from synthlearn.core import intervals, stats
from synthlearn.core.stats import Estimate, Spread

# --- a simulated study ---
#
# A latent probit model of the records: a run is right about an image where an ease that all rows
# share + the row's own + the run's deviation + chance lies above a bound. As in the committed
# records, runs of two rows agree on 71.5 % of the images, those of one row on 72 to 78 %. Every
# variance goes as 1/images, so 1,600 images with deviations 2.5 times as wide obey the same law as
# the study's 10,000, in a sixth of the time.
IMAGES, WIDER = 1600, 2.5
ACROSS_ROWS = 0.715
STUDIES = 1600  # standard error of a coverage of 95 %: 0.54 points; of a size of 0.005: 0.0018


def latent(agreement):
    """Correlation of two normal variables whose signs agree so often."""
    return math.sin(math.pi * (agreement - 0.5))


@dataclasses.dataclass(frozen=True)
class Family:
    """points: of a run's own deviation. agreement: of two runs of a row. df: degrees of freedom
    that other rows give to the pooled spread."""

    points: float
    agreement: float
    df: int

    @property
    def deviation(self):
        return WIDER * self.points / 100

    @property
    def variance(self):
        """Of a run's top-1 on given images: its deviation, and chance image by image; half of all
        disagreement is chance."""
        return self.deviation**2 + (1 - self.agreement) / 2 / IMAGES

    @property
    def shared(self):
        """Share of an image's variance that two runs have in common, at a top-1 near one half."""
        return 2 * self.agreement - 1

    def spread(self, rng, *own):
        """The pooled spread of a study: other rows' top-1 (normal, of the exact variance; their
        images need not be drawn, and one row of many runs has the same law as many of few) and some
        rows' own."""
        return stats.pooled(
            [rng.normal(0, math.sqrt(self.variance), self.df + 1), *(x.mean(1) for x in own)],
            self.shared,
        )


MANY = Family(1.0, 0.78, 60)  # as alignment and uniformity, 40 rows of two or three runs
SOME = Family(0.5, 0.78, 7)
FEW = Family(1.1, 0.72, 3)  # as the untrained encoders


def study(rng, *rows):
    """Outcomes bool (runs, images) of each row (family, top-1 over all images and runs there could
    be, runs), on one new draw of images."""
    ease = math.sqrt(latent(ACROSS_ROWS)) * rng.standard_normal(IMAGES, np.float32)
    found = []
    for family, top1, runs in rows:
        bound = NormalDist().inv_cdf(
            top1
        )  # all parts together have variance 1, so the true top-1 is exact
        deviation = family.deviation / NormalDist().pdf(bound)
        own = math.sqrt(latent(family.agreement) - latent(ACROSS_ROWS)) * rng.standard_normal(
            IMAGES, np.float32
        )
        chance = math.sqrt(1 - latent(family.agreement) - deviation**2) * rng.standard_normal(
            (runs, IMAGES), np.float32
        )
        found.append(
            chance
            + ease
            + own
            + deviation * rng.standard_normal((runs, 1), np.float32)
            + np.float32(bound)
            > 0
        )
    return found


# name → what a study estimates: rows by letter with their runs; all rows have the top-1 of TRUTH
CASES = {
    **{f"mean of {s} runs": (("a", s),) for s in (1, 2, 3, 5)},
    **{f"difference at {s} runs": (("a", s), ("b", s)) for s in (1, 2, 3, 5)},
    "difference at 1 and 5 runs": (("a", 1), ("b", 5)),
    "difference at 2 and 3 runs": (("a", 2), ("b", 3)),
    **{f"difference of families at {s} runs": (("a", s), ("c", s)) for s in (1, 3)},
    **{f"few: mean of {s} runs": (("d", s),) for s in (1, 3)},
    **{f"few: difference at {s} runs": (("d", s), ("e", s)) for s in (1, 3)},
    "few: difference of families at 3 runs": (("a", 3), ("d", 3)),
    "Welch's worst: difference of families at 5 and 1 runs": (("a", 5), ("d", 1)),
}
FAMILY = {"a": MANY, "b": MANY, "c": SOME, "d": FEW, "e": FEW}
TRUTH = {"a": 0.47, "b": 0.47, "c": 0.50, "d": 0.43, "e": 0.43}


@pytest.fixture(scope="module")
def tails():
    """Case → two-sided p, over new runs and new images each time, of what is true."""
    rng, found = np.random.default_rng(0), {name: [] for name in CASES}
    for _ in range(STUDIES):
        outcomes = dict(
            zip(FAMILY, study(rng, *((FAMILY[row], TRUTH[row], 5) for row in FAMILY)), strict=True)
        )
        lone = {family: family.spread(rng) for family in (SOME, FEW)}
        for name, asked in CASES.items():
            rows = [outcomes[row][:runs] for row, runs in asked]
            many = MANY.spread(
                rng, *(x for x, (row, _) in zip(rows, asked, strict=True) if FAMILY[row] is MANY)
            )
            e = (stats.difference if len(rows) == 2 else stats.mean)(
                *rows, *(lone.get(FAMILY[row], many) for row, _ in asked)
            )
            truth = TRUTH[asked[0][0]] - sum(TRUTH[row] for row, _ in asked[1:])
            found[name].append(e.above(truth) if e.mean > truth else e.below(truth))
    return {name: np.array(p) for name, p in found.items()}


@pytest.mark.parametrize("case", CASES)
def test_intervals_cover_the_truth_over_new_runs_and_new_images(tails, case):
    """As often as they say; a spread that few runs have told may make them wider, not narrower. (An
    interval is where p > 0.05: tested below.)"""
    covered = (tails[case] > 0.05).mean()
    assert 0.935 <= covered <= (0.98 if case.startswith("few") else 0.965)


@pytest.mark.parametrize("level", [0.05, 0.005])
@pytest.mark.parametrize("case", CASES)
def test_true_hypotheses_are_rejected_no_more_often_than_the_level(tails, case, level):
    """Within three standard errors of the simulation: 0.066 and 0.0103. With the images in
    Satterthwaite's sum it would be up to 0.016 at 0.005.

    Welch's test itself reaches 0.011 where a variance with 3 degrees of freedom is most of the
    sum."""
    nominal = 0.011 if case.startswith("Welch") and level == 0.005 else level
    assert (tails[case] <= level).mean() <= nominal + 3 * math.sqrt(
        nominal * (1 - nominal) / STUDIES
    )


@pytest.mark.parametrize(("df", "share"), [(3, 0.9), (3, 0.7), (3, 0.4), (7, 0.9)])
def test_a_spread_from_few_runs_keeps_the_level_beside_known_images(df, share):
    """The same with more draws, of one run's error that is by ``share`` that of runs; three
    standard errors at 0.005 are 0.0027."""
    rng, draws = np.random.default_rng(1), 6000
    right = rng.random((1, 100)) < 0.5
    images = stats.mean(right, Spread(0.0, df, 0.5)).error ** 2
    runs = images * share / (1 - share)
    each = [
        stats.mean(right, Spread(runs * chance / df, df, 0.5))
        for chance in rng.chisquare(df, draws)
    ]
    t = np.abs(rng.normal(0, math.sqrt(images + runs), draws)) / [e.error for e in each]
    p = 2 * distributions.t.sf(t, [e.df for e in each])
    assert (
        np.mean(p <= 0.005) <= 0.0077 and 0.025 <= np.mean(p <= 0.05) <= 0.0585
    )  # nor is it far too wide


def test_any_false_finding_among_all_comparisons_of_equal_rows_is_as_rare_as_holm_says():
    """21 comparisons of seven equal rows with two or three runs in 250 studies: at most 5 % + three
    standard errors."""
    rng, runs, false = np.random.default_rng(2), (2, 3, 2, 3, 2, 3, 2), 0
    for _ in range(250):
        rows = study(rng, *((MANY, 0.47, s) for s in runs))
        spread = MANY.spread(rng, *rows)
        false += any(
            stats.holm(
                [
                    stats.difference(a, b, spread, spread).p
                    for a, b in itertools.combinations(rows, 2)
                ]
            )
        )
    assert false / 250 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 250)


def test_the_spread_of_runs_is_their_deviation_and_chance_image_by_image():
    """Of 2,000 rows of three runs; the standard error of a variance with 4,000 degrees of freedom
    is 2.2 %. Chance is an eighth of it."""
    rng = np.random.default_rng(3)
    rows = [study(rng, (SOME, 0.5, 3))[0] for _ in range(2000)]
    pooled = stats.pooled([x.mean(1) for x in rows])
    assert pooled.df == 4000 and pooled.variance == pytest.approx(SOME.variance, rel=0.07)
    assert np.mean([stats.common(x) / x.var(1).mean() for x in rows]) == pytest.approx(
        SOME.shared, abs=0.01
    )


# --- how many runs ---


@pytest.mark.parametrize(
    ("points", "alone", "first"),
    [(0.5, 68, 168), (0.7, 35, 86), (1, 17, 42), (1.5, 8, 19), (2, 5, 11), (3, 2, 5)],
)
def test_runs_that_a_difference_needs(points, alone, first):
    """At a run's sd of 1.04 points, alone and at Holm's first step of 132: whole runs that suffice,
    so rounded up."""
    needed = [
        stats.runs_needed(points / 100, 2 * 0.0104**2, level=level) for level in (0.05, 0.05 / 132)
    ]
    assert needed == [alone, first] and needed == [
        stats.runs_needed(-points / 100, 2 * 0.0104**2, level=level) for level in (0.05, 0.05 / 132)
    ]
    exact = [
        2 * (1.04 / points * (distributions.norm.isf(level / 2) + distributions.norm.ppf(0.8))) ** 2
        for level in (0.05, 0.05 / 132)
    ]
    assert needed == [math.ceil(n) for n in exact]


@pytest.mark.parametrize(("points", "level"), [(1.5, 0.05), (2.5, 0.05), (2.5, 0.05 / 50)])
def test_as_many_runs_find_the_difference_in_four_of_five_studies(points, level):
    """Of 400, so 80 % ± 6; whole runs may be more than just enough: what a normal law gives for
    them."""
    rng, apart = np.random.default_rng(4), WIDER * points / 100
    known = [Spread(0.0, 1, MANY.shared)] * 2
    images = np.mean(
        [
            stats.difference(*study(rng, (MANY, 0.5, 1), (MANY, 0.5, 1)), *known).error ** 2
            for _ in range(50)
        ]
    )
    runs = stats.runs_needed(apart, 2 * MANY.variance, float(images), level)
    expected = distributions.norm.cdf(
        apart / math.sqrt(2 * MANY.variance / runs + images) - distributions.norm.isf(level / 2)
    )
    found = 0
    for _ in range(400):
        a, b = study(rng, (MANY, 0.47 + apart, runs), (MANY, 0.47, runs))
        spread = MANY.spread(rng, a, b)
        found += stats.difference(a, b, spread, spread).p <= level
    assert (
        3 <= runs <= 20
        and 0.8 <= expected <= 0.92
        and found / 400 == pytest.approx(expected, abs=0.06)
    )


def test_runs_do_not_settle_what_lies_within_the_images_share_or_has_no_number():
    assert stats.runs_needed(0.01, 2e-4, images=1e-4) is None and stats.runs_needed(
        0.01, 2e-4, images=1e-6
    ) > stats.runs_needed(0.01, 2e-4)
    for apart, variance in (
        (0.0, 2e-4),
        (1e-5, 2e-4),
        (math.nan, 2e-4),
        (0.01, math.nan),
        (0.01, math.inf),
        (1e-160, 1e-4),
    ):
        assert stats.runs_needed(apart, variance) is None
    assert stats.runs_needed(1.0, 0.0) == 1


# --- against others' formulas ---


def own_images(n, *sizes):
    """Runs that are right about images of their own: they have no image in common, so the images'
    share is zero."""
    starts = np.cumsum([0, *sizes])
    return np.stack(
        [
            (np.arange(n) >= low) & (np.arange(n) < low + size)
            for low, size in zip(starts, sizes, strict=False)
        ]
    )


A, B = own_images(1000, 100, 160, 230), own_images(1000, 120, 200, 150, 90)


@pytest.mark.parametrize("equal", [True, False])
def test_without_an_images_share_a_difference_is_students_or_welchs_test(equal):
    tops = A.mean(1), B.mean(1)
    spreads = [stats.pooled(tops)] * 2 if equal else [stats.pooled([each]) for each in tops]
    e, other = stats.difference(A, B, *spreads), distributions.ttest_ind(*tops, equal_var=equal)
    interval = other.confidence_interval()
    assert (e.p, e.df, e.low, e.high) == pytest.approx(
        (other.pvalue, other.df, interval.low, interval.high), rel=1e-9
    )
    assert e.above(0.05) == pytest.approx(
        min(
            1,
            2
            * distributions.ttest_ind(
                tops[0] - 0.05, tops[1], equal_var=equal, alternative="greater"
            ).pvalue,
        )
    )
    assert e.runs == 3 and e.n == 1000 and e.over == "runs and images"


def test_without_an_images_share_a_mean_is_students_interval():
    e, interval = (
        stats.mean(B, stats.pooled([B.mean(1)])),
        distributions.ttest_1samp(B.mean(1), 0).confidence_interval(),
    )
    assert (e.low, e.high) == pytest.approx((interval.low, interval.high))


def test_a_contrast_without_an_images_share_is_the_linear_models():
    """Weights 1, −½, −½ over three rows of one spread, against least squares on indicators."""
    rows, w = [A, B, own_images(1000, 80, 250)], np.array([1.0, -0.5, -0.5])
    y = np.concatenate([x.mean(1) for x in rows])
    design = np.repeat(np.eye(3), [len(x) for x in rows], axis=0)
    fit, rest, *_ = np.linalg.lstsq(design, y, rcond=None)
    variance = float(rest[0]) / (len(y) - 3)
    e = stats.contrast(
        [(float(k), x, stats.pooled(x.mean(1) for x in rows)) for k, x in zip(w, rows, strict=True)]
    )
    images = (
        stats.contrast([(float(k), x, Spread(0.0, 6)) for k, x in zip(w, rows, strict=True)]).error
        ** 2
    )
    assert e.mean == pytest.approx(w @ fit) and e.error**2 - images == pytest.approx(
        variance * w @ np.linalg.inv(design.T @ design) @ w
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_what_runs_have_in_common_is_the_mean_covariance_of_two_different_runs(seed, runs, images):
    x = np.random.default_rng(seed).random((runs, images)) < np.random.default_rng(seed + 1).random(
        images
    )
    pairs = [
        np.cov(x[s], x[t], bias=True)[0, 1] for s in range(runs) for t in range(runs) if s != t
    ]
    assert stats.common(x) == pytest.approx(max(0, np.mean(pairs)), abs=1e-12)
    assert stats.common(x[:1], 0.6) == pytest.approx(0.6 * x[0].mean() * (1 - x[0].mean()))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_difference_is_minus_its_reverse_and_knows_no_order_of_runs_or_images(
    seed, runs_a, runs_b
):
    rng = np.random.default_rng(seed)
    a, b = rng.random((runs_a, 50)) < 0.4, rng.random((runs_b, 50)) < 0.6
    one, two = Spread(1e-3, 9, 0.5), Spread(2e-3, 4, 0.4)
    there, back = stats.difference(a, b, one, two), stats.difference(b, a, two, one)
    assert (there.mean, there.low, there.high) == pytest.approx(
        (-back.mean, -back.high, -back.low)
    ) and there.p == pytest.approx(back.p)
    assert (
        there.above(0.1) == pytest.approx(back.below(-0.1))
        and there.error >= 0
        and 0 <= there.p <= 1
    )
    order = rng.permutation(50)
    again = stats.difference(rng.permutation(a)[:, order], rng.permutation(b)[:, order], one, two)
    assert (again.mean, again.error, again.df) == pytest.approx((there.mean, there.error, there.df))
    assert stats.mean(a, one).error == pytest.approx(
        stats.mean(rng.permutation(a)[:, order], one).error
    )


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_images_tell_nothing_of_a_row_against_itself(runs):
    """Their share of a difference is never negative, and 0 for the same outcomes."""
    x = np.random.default_rng(5).random((runs, 300)) < 0.5
    e = stats.difference(x, x, *[Spread(0.0, 5, 0.55)] * 2)
    assert e.mean == 0 and e.error == 0 and e.p == 1 and (e.low, e.high) == (0, 0)


def test_where_the_spread_of_runs_is_unknown_an_estimate_is_the_paired_test_over_images():
    rng = np.random.default_rng(6)
    a, b = rng.random((3, 2000)) < 0.5, rng.random((1, 2000)) < 0.47
    e, other = (
        stats.difference(a, b, Spread(), Spread(1e-4, 9)),
        distributions.ttest_rel(a.mean(0), b[0]),
    )
    assert (
        e.over == "images" and math.isinf(e.df) and e.p == pytest.approx(other.pvalue, rel=0.01)
    )  # other has n − 1 in place of n
    assert (
        stats.mean(b, Spread()).error == pytest.approx(math.sqrt(b.mean() * (1 - b.mean()) / 2000))
        and stats.mean(b, Spread()).over == "images"
    )


@given(st.floats(-3, 3), st.floats(0.01, 3), st.floats(1, 200), st.floats(-3, 3))
@settings(max_examples=60, deadline=None)
def test_an_interval_holds_what_is_not_rejected_and_both_directions_mirror(mean, error, df, bound):
    e = Estimate(mean, error, df, 3, 100)
    assert e.p == pytest.approx(2 * distributions.t.sf(abs(mean) / error, df)) and (
        e.low <= 0 <= e.high
    ) == (e.p >= 0.05)
    assert e.above(bound) == pytest.approx(Estimate(-mean, error, df, 3, 100).below(-bound))
    assert (
        min(e.above(bound), e.below(bound))
        == pytest.approx(dataclasses.replace(e, mean=mean - bound).p)
        and max(e.above(bound), e.below(bound)) == 1
    )
    assert e.high - e.mean == pytest.approx(e.mean - e.low) and e.above(e.low) == pytest.approx(
        0.05
    ) == e.below(e.high)


def test_degrees_of_freedom_lie_between_those_of_the_runs_and_a_normal_law():
    """More of the images' share, more of them; all of it, infinitely many; continuous on the
    way."""
    x = np.random.default_rng(7).random((1, 400)) < 0.5
    df = [stats.mean(x, Spread(v, 3, 0.5)).df for v in (1e3, 1e-2, 1e-3, 1e-4, 1e-6, 1e-12, 0.0)]
    assert (
        df == sorted(df)
        and df[0] == pytest.approx(3, rel=1e-3)
        and df[-1] == math.inf
        and df[-2] > 1e6
    )
    assert stats.mean(x, Spread(1e-4, 1e9, 0.5)).high == pytest.approx(
        stats.mean(x, Spread(1e-4, math.inf, 0.5)).high
    )


# --- odd inputs ---


@pytest.mark.parametrize(
    "spread",
    [
        Spread(),
        Spread(0.0, 5, 0.5),
        Spread(1e-4, 1, 0.5),
        Spread(1e-4, 1e300, 1.0),
        Spread(1e-300, 2, 0.5),
    ],
)
@pytest.mark.parametrize(
    "right",
    [np.ones((2, 9), bool), np.zeros((1, 9), bool), np.ones((1, 1), bool), np.eye(3, dtype=bool)],
)
def test_estimates_of_the_oddest_outcomes_are_numbers(right, spread):
    """All right, all wrong, one image, no image in common."""
    for e in (
        stats.mean(right, spread),
        stats.difference(right, ~right, spread, spread),
        stats.difference(right, right[:1], spread, Spread(1e-4, 3)),
    ):
        assert e.low <= e.mean <= e.high and 0 <= e.p <= 1 and e.error >= 0 and e.df >= 1


def test_what_is_not_a_number_is_never_found():
    nothing = [
        Estimate(math.nan, error, df, 1, 1)
        for error in (0.0, 1.0, math.nan)
        for df in (3.0, math.inf)
    ] + [Estimate(1.0, math.nan, 3.0, 1, 1)]
    assert [(e.p, e.above(0), e.below(0)) for e in nothing] == [(1, 1, 1)] * len(nothing)
    x = np.array([1.0, 2, math.nan, 4, 5, 6, 7])
    assert (
        stats.permutation_p(x, np.arange(7.0)) == 1 and stats.permutation_p(np.arange(7.0), x) == 1
    )
    assert (
        np.isnan(stats.correlation(x, np.arange(7.0))).all()
        and np.isnan(stats.correlation(np.arange(7.0), x, "pearson")).all()
    )
    assert stats.holm([math.nan, 0.01]) == [False, True]


def test_no_rows_or_single_runs_leave_the_spread_unknown():
    assert stats.pooled([]) == Spread() == stats.pooled([[0.5], [0.4]]) and stats.pooled(
        [[0.5], [0.4, 0.4]]
    ) == Spread(0.0, 1)


def test_pooled_is_the_residual_variance_of_an_analysis_of_variance():
    rows = [[0.1, 0.4, 0.2], [0.7, 0.9], [0.5]]
    within = sum(np.var(values) * len(values) for values in rows)
    assert stats.pooled(rows) == Spread(pytest.approx(within / 3), 3)


# --- the other formulas ---


def test_wilson_has_its_published_values():
    assert intervals.wilson(440, 1000) == pytest.approx((0.4095, 0.4709), abs=1e-4)
    assert intervals.wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)
    assert intervals.wilson(100, 100) == pytest.approx((0.9630, 1), abs=1e-4)


def test_paired_t_equals_scipys():
    d = np.array([1.0, 2.5, 1.7])
    mean, low, high = intervals.paired_t(d)
    other = distributions.ttest_1samp(d, 0)
    interval = other.confidence_interval()
    assert (mean, low, high) == pytest.approx((d.mean(), interval.low, interval.high))
    e = stats.paired(list(d))
    assert (e.mean, e.low, e.high, e.p) == pytest.approx(
        (mean, low, high, other.pvalue)
    ) and e.over == "runs"


def test_blocks_are_the_paired_test_and_with_more_treatments_the_two_way_layouts():
    values = np.random.default_rng(8).normal(size=(4, 5)) + np.arange(5)
    e, other = stats.blocks(values[:2], 0, 1), distributions.ttest_rel(values[0], values[1])
    assert (e.p, e.df) == pytest.approx((other.pvalue, 4))
    design = np.array(
        [
            [*(i == k for k in range(4)), *(j == k for k in range(1, 5))]
            for i in range(4)
            for j in range(5)
        ],
        float,
    )
    fit, rest, *_ = np.linalg.lstsq(design, values.ravel(), rcond=None)
    e = stats.blocks(values, 2, 3)
    assert (e.mean, e.df, e.error) == pytest.approx(
        (fit[2] - fit[3], 12, math.sqrt(float(rest[0]) / 12 * 2 / 5))
    )


def test_fiellers_interval_covers_a_ratio_and_is_infinite_where_the_divisor_may_be_zero():
    """Numerator and divisor share a part of their errors; 3,000 draws: standard error of the
    coverage 0.4 points."""
    rng, covered = np.random.default_rng(9), 0
    own, both = 0.3, 0.4
    a = Estimate(0.0, math.hypot(own, both), math.inf, 3, 100)
    apart = Estimate(0.0, math.hypot(own, own), math.inf, 3, 100)
    for x, y, z in rng.normal(size=(3000, 3)):
        top, bottom = (
            dataclasses.replace(a, mean=m + both * z + own * k) for m, k in ((2.0, x), (2.5, y))
        )
        ratio, low, high = stats.ratio(
            top, bottom, dataclasses.replace(apart, mean=top.mean - bottom.mean)
        )
        covered += low <= 0.8 <= high and low <= ratio <= high
    assert covered / 3000 == pytest.approx(0.95, abs=0.013)
    assert stats.ratio(a, dataclasses.replace(a, mean=0.1), apart)[1:] == (-math.inf, math.inf)
    assert math.isnan(stats.ratio(a, a, apart)[0])


def test_errors_of_two_halves_that_report_each_others_choice_go_together_by_a_bound():
    """Covariance of the reports of equal candidates, in units of one's variance; 40,000 draws:
    standard error 0.006. Three candidates reach the bound."""
    rng, together = np.random.default_rng(14), {}
    for candidates in (2, 3, 10):
        one, two = rng.normal(size=(2, 40_000, candidates))
        reports = [
            np.take_along_axis(b, a.argmax(1)[:, None], 1)[:, 0]
            for a, b in ((one, two), (two, one))
        ]
        together[candidates] = np.cov(*reports)[0, 1]
        assert np.mean(reports) == pytest.approx(0, abs=0.02) and np.var(reports) == pytest.approx(
            1, abs=0.03
        )
    assert (
        together[3] == pytest.approx(stats.CHOICE, abs=0.02)
        and max(together.values()) <= stats.CHOICE + 0.02
        and min(together.values()) > 0.1
    )


def test_holm_steps_down():
    assert stats.holm([0.01, 0.04, 0.03]) == [True, False, False]
    assert stats.holm([0.001, 0.02, 0.04]) == [True, True, True]
    assert stats.holm([0.03, 0.04]) == [False, False] and stats.holm([]) == []


@given(st.lists(st.floats(0, 0.1), max_size=12))
@settings(max_examples=100, deadline=None)
def test_holm_rejects_where_the_adjusted_p_is_at_most_the_level(p):
    """Adjusted: the largest of p × (hypotheses left) among those not larger; order of the
    hypotheses does not matter."""
    ranked = sorted(p)
    adjusted = [
        max(ranked[j] * (len(p) - j) for j in range(ranked.index(each) + ranked.count(each)))
        for each in p
    ]
    close = [abs(q - 0.05) < 1e-12 for q in adjusted]
    found = stats.holm(p)
    for i in range(len(p)):
        ties = p.count(p[i]) > 1
        assert close[i] or ties or found[i] == (adjusted[i] <= 0.05)
    assert sum(stats.holm(p[::-1])) == sum(found)


def test_spearman_and_its_interval():
    x = np.arange(12.0)
    assert stats.correlation(x, x**3)[0] == pytest.approx(1) and stats.correlation(x, -x)[
        0
    ] == pytest.approx(-1)
    r, low, high = stats.correlation(x, np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10.0]))
    assert low < r < high < 1.0001 and np.isnan(stats.correlation(x[:2], x[:2])[0])
    assert (
        stats.correlation(x, 3 * x + 1, "pearson")[0] == pytest.approx(1)
        and stats.correlation(x, x**3, "pearson")[0] < 0.95
    )
    assert np.isnan(stats.correlation(x, np.ones(12))[0])


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("spearman", distributions.spearmanr), ("pearson", distributions.pearsonr)],
)
def test_correlations_of_draws_are_scipys(kind, reference):
    rng = np.random.default_rng(4)
    x, y = (
        rng.integers(0, 3, 5).astype(float),
        rng.normal(size=5),
    )  # few values: ties, and draws that are all tied
    k = np.random.default_rng(0).integers(0, 5, (2000, 5))
    drawn = [
        reference(x[i], y[i]).statistic for i in k if len(set(x[i])) > 1 and len(set(y[i])) > 1
    ]
    assert len(drawn) < 2000
    assert stats.correlation(x, y, kind) == pytest.approx(
        (reference(x, y).statistic, *np.quantile(drawn, (0.025, 0.975))), abs=1e-12
    )


def test_permutation_p_is_scipys_and_tied_values_say_nothing():
    rng = np.random.default_rng(3)
    x = rng.normal(size=14)
    for strength in (0.0, 0.5, 2.0):
        y = strength * x + rng.normal(size=14)
        assert stats.permutation_p(x, y) == pytest.approx(
            distributions.spearmanr(x, y).pvalue, abs=0.03
        )
    assert stats.permutation_p(x, np.ones(14)) == 1


def test_partial_correlation_is_that_of_what_a_regression_of_ranks_leaves():
    rng = np.random.default_rng(10)
    held = rng.normal(size=15)
    x, y = held + rng.normal(size=15), 2 * held + rng.normal(size=15)
    ranks = [distributions.rankdata(v) for v in (x, y)]
    design = np.stack([np.ones(15), distributions.rankdata(held)], 1)
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in ranks]
    rho, z = stats.partial(x, y, held)
    assert rho == pytest.approx(distributions.pearsonr(*left).statistic) and math.tanh(
        z.mean
    ) == pytest.approx(rho)
    assert (
        stats.partial(x, held, held)[0] == pytest.approx(0, abs=1e-6)
        and stats.partial(x, np.ones(15), held)[1].p == 1
    )


def test_partial_correlation_of_unrelated_values_is_found_as_seldom_as_it_says():
    """1,000 draws of 15 rows, both driven by what is held: standard error 0.7 points."""
    rng, found = np.random.default_rng(11), 0
    for _ in range(1000):
        held = rng.normal(size=15)
        found += (
            stats.partial(held + rng.normal(size=15), held + rng.normal(size=15), held)[1].p <= 0.05
        )
    assert found / 1000 == pytest.approx(0.05, abs=0.021)


def test_reliability_is_high_for_clear_ranks_and_near_zero_for_none():
    rng = np.random.default_rng(12)
    assert stats.reliability(np.arange(8.0)[:, None] + rng.normal(0, 0.1, (8, 4))) > 0.97
    assert np.mean([stats.reliability(rng.normal(size=(30, 4)), 30) for _ in range(15)]) < 0.2
    assert 0 <= stats.reliability([[0.1, 0.2], [0.2, 0.1], [0.15, 0.16]]) <= 1


def test_reliability_is_the_share_of_variance_that_rows_have():
    """Rows of sd 1, runs of sd 1, four of each: 1/(1 + 1/4) = 0.8; ranks lose a little."""
    rng = np.random.default_rng(13)
    each = [
        stats.reliability(rng.normal(size=(100, 1)) + rng.normal(size=(100, 4)), 20)
        for _ in range(12)
    ]
    assert np.mean(each) == pytest.approx(0.79, abs=0.04)


def test_reliability_needs_three_rows_of_two_runs():
    two = [[0.1, 0.2], [0.4, 0.5]]
    assert math.isnan(stats.reliability(two)) and math.isnan(stats.reliability([*two, [0.9]]))
    assert stats.reliability([*two, [0.8, 0.9], [0.7]]) == stats.reliability([*two, [0.8, 0.9]])
