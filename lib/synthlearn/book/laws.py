"""Laws that generators must meet: what is measured of our pictures, beside ``book/laws.toml``.

Each generator has functions here that make its pictures and measure what its page of laws shows;
``law_table`` compares quartiles over pictures, ``check_table`` single figures.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..core import files, rng
from ..generators import (
    dead_leaves,
    feature_vis,
    fractaldb,
    generator,
    pyramid,
    sigma_fractals,
    statistical,
    stylegan_noise,
    stylegan_tied,
)
from ..generators.feature_vis import FeatureVis
from ..measure import metrics
from ..study import Experiment, Profile, get_row
from .html import Html, folded, join, scientific, table

FILE = "book/laws.toml"
# what a variant is called
TITLES = {
    "wmm": "wavelet marginals",
    "spectrum_color": "spectrum, colour",
    "spectrum_color_wmm": "spectrum, colour, wavelets",
    "highfreq": "high frequencies",
    "dead_leaves": "dead leaves",
}
# what each law is; grey levels run from 0 to 255, and grey is the mean of the channels
MEANINGS = {
    "leaves": "leaves that fell until no pixel was bare",
    "regions": "connected regions of exactly one colour",
    "mean": "mean over pixels and channels, grey levels",
    "deviation": "standard deviation over pixels and channels, grey levels",
    "chroma": "mean absolute difference of the channels from their mean, grey levels",
    "gradient": "mean length of the grey gradient, grey levels per pixel",
    "edge_fraction": "share of horizontal neighbours whose colours differ at all",
    "constant_fraction": "share of pixels that have the colour of both the right and lower one",
    "mean_step": "mean absolute difference in grey of horizontal neighbours, grey levels",
    "step_kurtosis": "kurtosis of these differences; 3 is that of a Gaussian",
    "band_kurtosis": "kurtosis of the fine details: blurred by 1 px minus blurred by 2 px",
    "coarse_kurtosis": "kurtosis of coarser details: blurred by 4 px minus blurred by 8 px",
    "energy_variation": "how unevenly the squared steps are spread over blocks of 16 × 16 px: "
    "standard deviation over mean",
    "border_gradient": "squared steps within 2 px of the border over those of the whole image; 1 "
    "where borders are like the rest",
    "neighbour_correlation": "correlation of a pixel's grey with that of the next one",
    "far_correlation": "correlation of a pixel's grey with that eight pixels on",
    "spectrum_slope": "slope of log power against log frequency; white noise has 0, photographs "
    "about −2",
}
SEED = 1  # of measured pictures; chosen here, other than that of training
Measured = Mapping[str, Mapping[str, Tensor]]  # variant → law → values of our pictures, (n,)


@dataclass(frozen=True)
class Law:
    """Quartiles of a law over ``n`` pictures of others."""

    quartiles: Sequence[float]
    n: int


class Target(TypedDict):
    """A single figure: what it is, what it must be, and how near."""

    what: str
    value: float
    tolerance: float


def laws(family: str) -> dict[str, dict[str, Law]]:
    """Laws of a family of ``book/laws.toml``: variant → law → its quartiles."""
    return {
        variant: {
            name: Law(values, content["n"]) for name, values in content.items() if name != "n"
        }
        for variant, content in _read()[family].items()
    }


def targets(name: str) -> dict[str, Target]:
    """A table of single figures of ``book/laws.toml``."""
    content: dict[str, Target] = _read()[name]
    return content


def _read() -> Any:
    return tomllib.loads((files.root() / FILE).read_text(encoding="utf-8"))


def measure(family: str, variant: str, pictures: Tensor, **more: Tensor) -> dict[str, Tensor]:
    """The laws that a variant of a family names, of pictures uint8 (n, 3, s, s): law → values (n,).

    more: values that are not measured on pictures.
    """
    names = laws(family)[variant]
    return {name: more[name] if name in more else metrics.LAWS[name](pictures) for name in names}


def law_table(
    family: str, measured: Measured, theirs: str = "authors' code", target: bool = True
) -> Html:
    """Laws of others' pictures beside ours, with tolerance and a pass mark.

    theirs: whose figures they are, as the column's title. target: whether ours are meant to meet
    them; if not, there are no marks.
    """
    reference, body, met = laws(family), [], 0
    for variant, values in measured.items():
        for name, ours in values.items():
            law, median = reference[variant][name], float(ours.double().median())
            low, middle, high = law.quartiles
            allowed = metrics.tolerance(law.quartiles, len(ours), law.n)
            inside = abs(median - middle) <= allowed
            met += inside
            marks = [f"± {_short(allowed)}", "✓" if inside else "✗ outside"] if target else []
            cells = [f"{middle:g} <small>[{low:g}, {high:g}]</small>", f"{median:.4g}", *marks]
            body.append([TITLES.get(variant, variant), name.replace("_", " "), *cells])
    header = ["set", "law", f"{theirs}: median [quartiles]", "ours: median"]
    note = f"Images measured, ours and theirs: {_counts(reference, measured)}."
    used = dict.fromkeys(name for values in measured.values() for name in values)
    words = [[name.replace("_", " "), MEANINGS[name]] for name in used]
    meanings = folded("What each law measures", table(["law", "what it is, of one image"], words))
    if not target:
        return join(table(header, body, note), meanings)
    rule = "Tolerance: three standard errors of the difference of medians plus 2 %."
    note = f"{met} of {len(body)} laws met. {note} {rule}"
    return join(table([*header, "tolerance", "met"], body, note), meanings)


def _short(value: float) -> str:
    """A number to two digits, without a power of ten where it has two before the point.

    >>> _short(148.3), _short(0.0123)
    ('150', '0.012')
    """
    return f"{float(f'{value:.2g}'):g}"


def _figure(value: float) -> str:
    """A number to four digits, small ones as a power of ten.

    >>> _figure(0.81), _figure(0.00009918)
    ('0.81', '9.9\xa0×\xa010⁻⁵')
    """
    return scientific(value) if 0 < abs(value) < 1e-4 else f"{value:.4g}"


def _counts(reference: Mapping[str, Mapping[str, Law]], measured: Measured) -> str:
    counts = []
    for variant, values in measured.items():
        name, ours = next(iter(values.items()))
        theirs = reference[variant][name].n
        counts.append(f"{TITLES.get(variant, variant)} {len(ours)} and {theirs}")
    return "; ".join(counts)


def check_table(name: str, measured: Mapping[str, float], theirs: str = "must be") -> Html:
    """Single figures beside ours, with tolerance and a pass mark.

    theirs: title of their column: whose figures they are, if they are not identities.
    """
    reference, body, met = targets(name), [], 0
    for key, ours in measured.items():
        target = reference[key]
        inside = abs(ours - target["value"]) <= target["tolerance"]
        met += inside
        allowed = f"± {_figure(target['tolerance'])}" if target["tolerance"] else "exact"
        cells = [_figure(target["value"]), _figure(ours), allowed]
        body.append([escape(target["what"]), *cells, "✓" if inside else "✗ outside"])
    header = ["law", theirs, "ours", "tolerance", "met"]
    return table(header, body, f"{met} of {len(body)} laws met.")


# ---- dead leaves ----


def dead_leaves_pictures(profile: Profile) -> dict[str, Tensor]:
    """Dead leaves by shape, uint8 (n, 3, 128, 128)."""
    n = 40 if profile.name == "smoke" else 240
    return {
        kind: generator(f"dead_leaves-{kind}").sample(range(n), size=128, seed=SEED)
        for kind in ("squares", "oriented", "mixed")
    }


def dead_leaves_laws(profile: Profile, pictures: Mapping[str, Tensor]) -> Measured:
    """The laws of dead leaves, and those of textured ones."""
    measured = {}
    for kind, images in pictures.items():
        source = generator(f"dead_leaves-{kind}")
        keys = source.keys(range(len(images)), seed=SEED)
        leaves = dead_leaves.cover(keys, source.options.shape, 128)[1]
        measured[kind] = measure("dead_leaves", kind, images, leaves=leaves)
    n, bank = (40, 8) if profile.name == "smoke" else (120, 1000)
    textured = generator("dead_leaves-textures", textures=bank).sample(range(n), size=128)
    return {**measured, "textures": measure("dead_leaves", "textures", textured)}


def dead_leaves_sizes(pictures: Mapping[str, Tensor]) -> dict[str, float]:
    """What is visible of the leaves, as areas of regions of one colour, pooled over pictures; and
    the share of the smallest radius among a million.
    """
    draws = rng.uniform(rng.key("radius"), (1_000_000,)).double()
    smallest = torch.bucketize(draws, dead_leaves.radius_edges()) == 0
    sizes = {"radius": float(smallest.double().mean())}
    for kind, images in pictures.items():
        areas = torch.cat([torch.as_tensor(each) for each in metrics.regions(images)]).double()
        sizes[f"{kind}_half"] = float(areas.median())
        sizes[f"{kind}_95"] = float(areas.quantile(0.95))
        sizes[f"{kind}_slivers"] = float((areas <= 4).double().mean())
    return sizes


# ---- statistical models ----


def statistical_laws(profile: Profile) -> Measured:
    """The laws of statistical models, at 128 pixels."""
    counts = {"spectrum": 200, "wmm": 120, "spectrum_color": 200, "spectrum_color_wmm": 120}
    measured = {}
    for kind, n in counts.items():
        index = range(n // 10 if profile.name == "smoke" else n)
        pictures = generator(f"stat-{kind}").sample(index, size=128, seed=SEED)
        measured[kind] = measure("statistical", kind, pictures)
    return measured


def statistical_checks() -> dict[str, float]:
    """Exact properties of imposed spectra, colour axes and the pyramid."""
    key = rng.key("laws", torch.arange(24))
    amplitude, s = statistical.spectrum(key, 128)
    once = statistical.impose_spectrum(256 * rng.uniform(key, (3, 128, 128)), amplitude)
    again = statistical.impose_spectrum(once, amplitude)
    slope = metrics.spectrum_slope(once[:, :1].expand(-1, 3, -1, -1), window=False)
    axes = statistical.colour_model(key[:8], 64).axes
    planes = rng.normal(key, (128, 128))
    high, _, low = pyramid.analyse(planes, 3, "circular")
    checks = {
        "slope": float((slope / s)[s < 2.5].median()),
        "idempotent": float((again - once).abs().max()),
        "orthonormal": float((axes.transpose(1, 2) @ axes - torch.eye(3)).abs().max()),
        "high": float(high.std()),
        "low": float(low.std()),
    }
    for borders in ("circular", "reflect"):
        error = pyramid.synthesise(*pyramid.analyse(planes, 3, borders), borders) - planes
        checks[f"reconstruction_{borders}"] = float(error.square().mean().sqrt() / planes.std())
    return checks


# ---- random StyleGANs ----


def stylegan_laws(profile: Profile) -> Measured:
    """The laws of random StyleGANs, at 256 pixels, a new network every ten pictures."""
    n, each = (8, 2) if profile.name == "smoke" else (64, 10)
    measured = {}
    for kind in ("random", "highfreq", "sparse", "oriented"):
        row = get_row(f"stylegan-{kind}")
        options = row.source_options(row.settings(profile))
        source = generator(row.name, **options, images_per_network=each)
        pictures = source.sample(range(n), size=256, seed=SEED)
        measured[kind] = measure("stylegan", kind, pictures)
    return measured


def stylegan_checks() -> dict[str, float]:
    """Exact properties of the noise and of the kernels."""
    key = rng.key("laws", torch.arange(48))
    pink = stylegan_noise.pink_noise(key, 256)
    slope = metrics.spectrum_slope(pink[:, None].expand(-1, 3, -1, -1))
    alpha = rng.uniform(rng.fold(key, 0), (), *stylegan_noise.NOISE_SLOPE)
    kernels = stylegan_tied.sign_kernels()
    alike = [bool((kernel == kernel[:1]).all()) for kernel in kernels[16:32]]
    return {
        "pink": float((slope / alpha).median()),
        "kernels": len(kernels.flatten(1).unique(dim=0)),
        "repeats": sum(alike) / 16,  # rows all alike: vertical
    }


# ---- fractals ----


def fractal_checks(profile: Profile) -> dict[str, float]:
    """Figures of both kinds of fractals."""
    n = 60 if profile.name == "smoke" else 240
    systems = fractaldb.fractaldb_systems(fractaldb.categories(n), 0)
    keys = rng.key("verify", torch.arange(n))
    points = fractaldb.draw_fractaldb(*systems, keys, 0, 128, mode="point") >= 0
    patches = fractaldb.draw_fractaldb(*systems, keys, 0, 128) >= 0
    area = max_pool2d(points.float()[:, None], 3, 1, 1)[:, 0]
    accepted = [number for number in fractaldb.categories(1000).tolist() if number < 20_000]
    _, _, singular = sigma_fractals.sigma_systems(rng.key("verify-sigma", torch.arange(2000)), 3)
    scenes = generator("fractals-sigma").sample(range(n))
    return {
        "fill": float(points.float().mean()),
        "bright": float((patches.sum((1, 2)) / area.sum((1, 2))).mean()),
        "accepted": len(accepted) / 20_000,
        "singular_large": float(singular[..., 0].mean()),
        "singular_small": float(singular[..., 1].mean()),
        "red": float(scenes[:, 0].float().mean()),
        "blue": float(scenes[:, 2].float().mean()),
    }


# ---- feature visualisations ----


@dataclass(frozen=True)
class Climb:
    """Pictures on their way: ``stages`` uint8 (k, n, 3, s, s) and, at each, how much the two units
    of each picture are excited, (k, n, 2).
    """

    stages: Tensor
    excited: Tensor


def climb(source: FeatureVis, index: Tensor, size: int, steps: int, every: int) -> Climb:
    """Pictures ``index`` (n,) of a source before each ``every`` steps, and after the last."""
    options = source.options
    network, units = feature_vis.units_of(options.encoder, options.width, 0, "cpu")
    chosen, keys = feature_vis.unit_list(index, units), source.keys(index)
    with torch.no_grad():
        stages = source.optimise(network, chosen, keys, size, steps, every)
        excited = [network(stage.float() / 255).gather(1, chosen) for stage in stages]
    return Climb(stages, torch.stack(excited))


def feature_vis_source(kind: str, profile: Profile) -> FeatureVis:
    """The source of a row of feature visualisations, "random" or "dead_leaves", seed 0."""
    source = Experiment(get_row(f"feature_vis-{kind}"), profile, 0).source()
    assert isinstance(source, FeatureVis)
    return source


def feature_vis_pictures(profile: Profile) -> dict[str, Tensor]:
    """Feature visualisations by the network that they are of, uint8 (n, 3, 48, 48)."""
    n = 16 if profile.name == "smoke" else 96
    return {
        kind: feature_vis_source(kind, profile).sample(range(n), size=48)
        for kind in ("random", "dead_leaves")
    }


def feature_vis_checks(profile: Profile, pictures: Mapping[str, Tensor]) -> dict[str, float]:
    """What the construction promises: ranges, pairs of units, and that pictures climb."""
    every, higher = torch.cat(list(pictures.values())), []
    for kind in pictures:
        source = feature_vis_source(kind, profile)
        steps = source.options.steps
        excited = climb(source, torch.arange(8), 48, steps, steps).excited.sum(2)
        higher.append(excited[-1] > excited[0])
    pairs = feature_vis.unit_list(torch.arange(2048, 105_000), 2048)
    return {
        "least": int(every.amin((1, 2, 3)).max()),
        "largest": int(every.amax((1, 2, 3)).min()),
        "pairs": int(pairs[:, 0].max()),
        "climb": float(torch.cat(higher).float().mean()),
    }


def feature_vis_laws(pictures: Mapping[str, Tensor]) -> Measured:
    """Laws of the authors' published pictures, measured on ours."""
    return {kind: measure("feature_vis", kind, images) for kind, images in pictures.items()}
