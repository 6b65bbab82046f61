"""Collages.

Dead leaves where nothing is on them, fields of the slope that was asked for, colours of each law,
and two mixed.
"""

import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import collage as co
from synthlearn.generators import dead_leaves

KEYS = rng.key("collage", 0, torch.arange(24))


def test_a_plain_collage_is_dead_leaves():
    top, _ = dead_leaves.cover(KEYS[:4], "mixed", 128)
    ours = sl.generator("collage").sample(range(4), 128).int()
    assert int((ours - dead_leaves.leaf_colours(KEYS[:4], top).int()).abs().max()) <= 1


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_a_fields_amplitudes_fall_with_its_slope(slope):
    field = co.spectrum_field(KEYS, 128, slope)
    assert (
        torch.allclose(field.square().mean((1, 2)), torch.ones(24), atol=1e-3)
        and float(field.mean((1, 2)).abs().max()) < 1e-3
    )
    power = torch.fft.rfft2(field).abs().square().mean(0)
    f = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128))
    band = (f > 0.03) & (f < 0.4)
    x, y = f[band].log(), power[band].log()
    assert float(
        ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    ) == pytest.approx(-2 * slope, abs=0.1)


def test_a_field_stays_within_its_leaf_and_adds_no_colour():
    plain, textured = (
        sl.generator("collage", field=field, amplitude=0.1).sample(range(6), 128).float()
        for field in ("none", "spectrum")
    )
    added = textured - plain
    free = ((textured > 0) & (textured < 255)).all(1)
    assert float((added[:, 0] - added[:, 2]).abs()[free].max()) <= 1  # the same in every channel
    assert 0.6 * 25.5 < float(added[:, 0][free].std()) < 25.5


def test_colours_follow_their_law():
    top, _ = dead_leaves.cover(KEYS, "circle", 64)
    palette, photo, uniform = (
        co.colours(KEYS, top, law) for law in ("palette", "photo", "uniform")
    )
    assert all(len(picture.flatten(1).T.unique(dim=0)) <= co.PALETTE for picture in palette)
    leaves = torch.arange(4000).view(1, 40, 100)
    r, _, b = (co.colours(KEYS[:1], leaves, "photo")[0, c].flatten() for c in range(3))
    assert float(torch.corrcoef(torch.stack([r, b]))[0, 1]) > 0.6  # brightness varies most
    assert (
        abs(float(torch.corrcoef(co.colours(KEYS[:1], leaves, "uniform")[0].flatten(1))[0, 1]))
        < 0.06
    )
    assert all(float(x.min()) >= 0 and float(x.max()) <= 1 for x in (palette, photo, uniform))


def test_mixed_collages_have_less_contrast_than_one_by_sums_and_as_much_by_boxes():
    std = {
        rule: float(sl.generator("collage", rule=rule).sample(range(24), 64).float().std())
        for rule in co.RULES
    }
    assert std["convex"] < 0.9 * std["none"] and std["cutmix"] == pytest.approx(
        std["none"], rel=0.1
    )


def test_bad_options_are_named():
    with pytest.raises(ParameterError, match="option rule = 'kml'"):
        sl.generator("collage", rule="kml")
    with pytest.raises(
        ParameterError, match=r"option exponent = 0: must be a number from 0.1 to 20"
    ):
        sl.generator("collage", exponent=0)
