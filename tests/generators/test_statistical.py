"""Statistical image models: exact properties of each step, and the laws of the authors' sets."""

import tomllib

import numpy as np
import pytest
import torch
from scipy import ndimage

import synthlearn as sl
from synthlearn.core import files, rng
from synthlearn.generators import statistical as st
from synthlearn.measure import metrics

LAWS = tomllib.loads((files.root() / "book" / "laws.toml").read_text())["statistical"]


def matched(x, model):
    return st.match_histogram(x, model.low, model.high, model.cumulative)


@pytest.mark.parametrize(
    ("name", "n"),
    [("spectrum", 60), ("spectrum_color", 60), ("wmm", 30), ("spectrum_color_wmm", 30)],
)
def test_set_meets_the_laws_of_the_authors_code(name, n):
    """By medians, within three standard errors for so many pictures. With 30, each of the other
    three sets misses three of a set's laws or more."""
    laws = LAWS[name]
    images = sl.generator(f"stat-{name}").sample(range(n), 128, seed=3)
    for law, quartiles in laws.items():
        if law != "n":
            assert abs(
                float(metrics.LAWS[law](images).median()) - quartiles[1]
            ) <= metrics.tolerance(quartiles, n, laws["n"]), law
    assert int(images.amin((1, 2, 3)).max()) == 0 and int(images.amax((1, 2, 3)).min()) == 255


def test_imposed_slopes_are_twice_the_amplitudes():
    keys = rng.key("slope", torch.arange(24))
    amplitude, s = st.spectrum(keys, 128)
    x = st.impose_spectrum(256 * rng.uniform(keys, (3, 128, 128)), amplitude)
    f = torch.fft.fftfreq(128, dtype=torch.float64) * 128
    radius = torch.hypot(f[:, None], f).round().long()
    power = torch.fft.fft2(x.double().mean(1)).abs().square()
    k = torch.arange(4, 32)
    y = torch.stack([power[:, radius == int(r)].mean(1) for r in k], 1).log()
    z = k.double().log() - k.double().log().mean()
    slope = (y * z).sum(1) / z.square().sum()
    one = s < 2.5  # above, rounding of single precision fills the high frequencies
    assert (
        float((slope + 2 * s)[one].abs().median()) < 0.1
        and float(s.min()) >= 0.5
        and float(s.max()) <= 3.5
    )


def test_imposing_a_spectrum_twice_changes_nothing_and_keeps_mean_and_spread():
    keys = rng.key("twice", torch.arange(6))
    x = 256 * rng.uniform(keys, (3, 64, 64))
    amplitude, _ = st.spectrum(keys, 64)
    once = st.impose_spectrum(x, amplitude)
    assert torch.allclose(st.impose_spectrum(once, amplitude), once, atol=0.02)
    assert torch.allclose(once.mean((2, 3)), x.mean((2, 3)), atol=1e-2) and torch.allclose(
        once.std((2, 3)), x.std((2, 3)), atol=1e-2
    )


def test_colour_model_decorrelates_and_its_axes_are_orthonormal():
    model = st.colour_model(rng.key("model", torch.arange(8)), 64)
    eye = torch.eye(3).expand(8, 3, 3)
    assert torch.allclose(model.axes.transpose(1, 2) @ model.axes, eye, atol=1e-5)
    spread = model.high - model.low
    assert bool((spread[:, 0] >= spread[:, 2] * 0.5).all()) and bool(
        (model.cumulative.diff(dim=2) > 0).all()
    )
    assert torch.allclose(model.cumulative[..., -1], torch.ones(8, 3, dtype=torch.float64))


def test_counts_equal_numpys():
    number = rng.integers(rng.key("counts", torch.arange(6)), 0, 9, (50,)).view(2, 3, 50)
    want = [np.bincount(row, minlength=10) for row in number.flatten(0, 1).numpy()]
    assert np.array_equal(st._counts(number, 10).flatten(0, 1), want)


def test_stripes_hold_as_many_pixels_of_a_colour_as_uniforms_fall_into_its_share(monkeypatch):
    seen, keys, size = [], rng.key("stripes", torch.arange(5)), 32
    monkeypatch.setattr(st, "_box_blur", lambda x, side: seen.append(x) or x)
    st.colour_model(keys, size, "all")
    colours = 256 * rng.uniform(rng.fold(keys, 2), (22, 3)).numpy()
    u = rng.uniform(rng.fold(keys, 3), (size * size,)).sort(1).values.numpy()
    for i, count in enumerate(rng.integers(rng.fold(keys, 0), 3, 23).tolist()):
        share = 0.001 + rng.uniform(rng.fold(keys[i : i + 1], 1), (22,))[0].double().numpy()[:count]
        index = np.searchsorted((share / share.sum()).cumsum(), u[i]).clip(max=count - 1)
        columns = seen[0][i].permute(2, 1, 0).flatten(0, 1)
        assert np.array_equal(columns, colours[i][index])


def test_box_blur_equals_a_loop_over_pixels():
    x, side = torch.rand(10, 3, 12, 12), torch.arange(1, 11)
    got = st._box_blur(x, side)
    for i in range(10):
        m = int(side[i])
        padded = np.pad(x[i].double().numpy(), ((0, 0), (m, m), (m, m)))
        want = np.zeros((3, 12, 12))
        for r in range(12):
            for c in range(12):
                top, left = r + m - (m - 1) // 2, c + m - (m - 1) // 2
                want[:, r, c] = padded[:, top : top + m, left : left + m].mean((1, 2))
        assert np.allclose(got[i], want, atol=1e-5)
        if m % 2:
            assert np.allclose(
                got[i, 0],
                ndimage.uniform_filter(x[i, 0].double().numpy(), m, mode="constant"),
                atol=1e-5,
            )


def test_matched_channels_have_the_models_histogram():
    keys = rng.key("match", torch.arange(4))
    model = st.colour_model(keys, 64)
    y = matched(rng.normal(keys, (3, 4096)), model)
    quantiles = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    for i in range(4):
        for c in range(3):
            edges = torch.linspace(
                float(model.low[i, c]), float(model.high[i, c]), 257, dtype=torch.float64
            )
            want = np.interp(quantiles, model.cumulative[i, c], edges)
            got = y[i, c].double().quantile(quantiles).numpy()
            close = np.abs(got - want) <= 3 * float(edges[1] - edges[0]) + 1e-3
            assert (
                close.mean() > 0.85
            )  # within three bins, but where the model has a gap and any value of it is right


def test_matching_is_monotone_and_keeps_its_own_histogram():
    keys = rng.key("own", torch.arange(2))
    model = st.colour_model(keys, 32)
    x = rng.normal(keys, (3, 1024))
    y = matched(x, model)
    order = x.argsort(2)
    assert bool((y.gather(2, order).diff(dim=2) >= -1e-3).all())
    again = matched(y, model)
    assert float((again - y).abs().median()) <= 0.02 * float((model.high - model.low).median())


def test_the_clipped_palette_never_shows_the_last_colour():
    keys = rng.key("palette", torch.arange(300))
    count = rng.integers(rng.fold(keys, 0), 3, 23)
    assert int(count.min()) == 3 and int(count.max()) == 22
    a, b = st.colour_model(keys, 16), st.colour_model(keys, 16, "all")
    assert not torch.allclose(a.mean, b.mean) and torch.isfinite(a.mean).all()


def test_wavelet_models_are_the_generalised_gaussians_of_the_description():
    keys = rng.key("wavelets", torch.arange(3))
    model = st.wavelet_model(keys, 3)
    rho = rng.uniform(rng.fold(keys, 8), (3, 13), 0.4, 0.8).double().numpy()
    x = np.arange(-200, 200.25, 0.5)
    for band, scale in ((0, 4), (1, 4), (5, 16), (12, 256)):
        h = np.exp(-((np.abs(x) / scale) ** rho[1, 2, band]))
        assert float(model.std[1, 2, band]) == pytest.approx(
            np.sqrt((h * x**2).sum() / h.sum()), rel=1e-5
        )
        assert np.allclose(
            model.cumulative[1, 2, band], np.concatenate(([0], h.cumsum())) / h.sum(), atol=1e-7
        )


def test_imposed_bands_have_their_spread_and_shape():
    keys = rng.key("bands", torch.arange(2))
    model = st.wavelet_model(keys, 1)
    seen = []
    whole = st.pyramid.synthesise

    def watched(high, bands, low, borders):
        seen.extend((high, *bands))
        return whole(high, bands, low, borders)

    st.pyramid.synthesise = watched
    try:
        st.impose_wavelets(256 * rng.uniform(keys, (3, 48, 48)), model, "reflect")
    finally:
        st.pyramid.synthesise = whole
    assert torch.allclose(
        seen[0].flatten(1).std(1, correction=0), model.std[:, :, 0].flatten(), rtol=1e-4
    )
    assert torch.allclose(
        seen[1].flatten(2).std(2, correction=0), model.std[:, :, 1:].flatten(0, 1), rtol=1e-4
    )
    fourth = (seen[0].flatten(1) / seen[0].flatten(1).std(1, keepdim=True)).pow(4).mean(1)
    assert float(fourth.min()) > 5  # heavier tails than a Gaussian's 3


def test_mirrored_borders_are_quiet_and_periodic_ones_are_not():
    """The medians of ten are near 0.4 and 1.1."""
    quiet, even = (
        metrics.border_gradient(sl.generator("stat-wmm", borders=b).sample(range(10), 128)).median()
        for b in ("reflect", "circular")
    )
    assert float(quiet) < 0.65 and float(even) > 0.9
