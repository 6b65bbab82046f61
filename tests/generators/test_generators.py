"""The contract of generators, over the whole registry."""

import dataclasses
import json
import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import Options, base, register, registry, smooth_noise, statistical
from synthlearn.measure import metrics

NAMES = [
    name for name in sl.generators.names() if name != "text2image"
]  # needs a model: test_text2image_generator.py
SMALL = {"encoder": "small", "width": 1 / 32, "steps": 2}
# The contract is the same for fractals of fewer points, narrower networks, fewer textures, steps.
LIGHT = {
    "fractals-fractaldb": {"points": 4000},
    "fractals-sigma": {"points": 4000},
    "formula-exfractal": {"points": 2000},
    "formula-one": {"points": 4000},
    "dead_leaves-textures": {"textures": 5},
    "stylegan-random": {"width": 1 / 32},
    "stylegan-highfreq": {"width": 1 / 32},
    "stylegan-sparse": {"width": 1 / 32},
    "stylegan-oriented": {"width": 1 / 32},
    "feature_vis-random": SMALL,
    "feature_vis-dead_leaves": SMALL,
    "mixture": {"parts": {"noise-white": 1, "dead_leaves-squares": 2}},
    "mixed": {"parts": ["noise-perlin", "dead_leaves-squares", "noise-perlin"], "k": 3},
}


def light(name):
    return sl.generator(name, **LIGHT.get(name, {}))


def test_every_set_of_the_paper_is_there_and_the_baselines():
    paper = {
        "dead_leaves": ("squares", "oriented", "mixed", "textures"),
        "stat": ("spectrum", "wmm", "spectrum_color", "spectrum_color_wmm"),
        "stylegan": ("random", "highfreq", "sparse", "oriented"),
        "feature_vis": ("random", "dead_leaves"),
        "fractals": ("fractaldb", "sigma"),
        "noise": ("white", "uniform_color", "perlin"),
        "formula": ("visualatom", "rcdb", "exfractal", "one"),
    }
    assert {f"{family}-{kind}" for family, kinds in paper.items() for kind in kinds} | {
        "mixture",
        "mixed",
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [32, 48, 100, 256])
def test_pictures_are_uint8_of_the_asked_size(name, size):
    x = light(name).sample([3, 0], size)
    assert x.shape == (2, 3, size, size) and x.dtype == torch.uint8
    if name == "noise-uniform_color":
        assert bool((x == x[..., :1, :1]).all())
    else:
        assert float(x.float().std((2, 3)).amax(1).min()) > 1  # no constant picture


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None)
@given(indices=st.lists(st.integers(0, 10_000), min_size=1, max_size=5), seed=st.integers(0, 5))
def test_a_picture_does_not_depend_on_its_batch(name, indices, seed):
    g = light(name)
    together = g.sample(indices, 32, seed)
    for i, picture in zip(indices, together, strict=True):
        assert torch.equal(light(name).sample([i], 32, seed)[0], picture)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_depend_on_index_and_seed(name):
    g = light(name)
    x = g.sample(range(6), 32)
    assert len({p.numpy().tobytes() for p in x}) == 6
    assert not torch.equal(g.sample(range(6), 32, seed=1), x)


@pytest.mark.parametrize("name", NAMES)
def test_chunks_do_not_change_pictures(name, monkeypatch):
    monkeypatch.setattr(
        statistical, "ROUNDS", 2
    )  # the contract is the same, and it is five times as fast
    g = light(name)
    whole = g.sample(range(7), 32)
    monkeypatch.setattr(type(g), "chunk", lambda self, canvas, device: 2)
    assert torch.equal(light(name).sample(range(7), 32), whole)


@pytest.mark.parametrize("size", [31, 48, 100, 128, 256])
@pytest.mark.parametrize("name", NAMES)
def test_threads_do_not_change_pictures(name, size, monkeypatch):
    monkeypatch.setattr(statistical, "ROUNDS", 2)
    together = light(name).sample([5, 7], size)
    try:
        torch.set_num_threads(2)
        alone = torch.cat([light(name).sample([i], size) for i in (5, 7)])
        torch.set_num_threads(4)
        reverse = light(name).sample([7, 5], size).flip(0)
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(1)
    assert torch.equal(alone, together) and torch.equal(reverse, together)


@pytest.mark.parametrize("name", NAMES)
def test_threads_share_chunks_without_changing_pictures(name, monkeypatch):
    monkeypatch.setattr(statistical, "ROUNDS", 2)
    alone, g = light(name).sample(range(9), 32), light(name)
    monkeypatch.setattr(type(g), "chunk", lambda self, canvas, device: 2)
    torch.set_num_threads(3)
    try:
        assert torch.equal(g.sample(range(9), 32), alone)
        with pytest.raises(RuntimeError):
            monkeypatch.setattr(type(g), "paint", lambda *_: torch.empty(-1))
            g.sample([0, 1], 32)
        assert torch.get_num_threads() == 3  # whatever happens
    finally:
        torch.set_num_threads(1)


def test_another_packages_generator_must_paint_what_the_contract_says(monkeypatch):
    g = sl.generator("noise-white")
    for wrong in (torch.zeros(2, 1, 16, 16, dtype=torch.uint8), torch.zeros(2, 3, 16, 16)):
        monkeypatch.setattr(type(g), "paint", lambda *_, wrong=wrong: wrong)
        with pytest.raises(
            ParameterError,
            match=r"generator 'noise-white': paints torch\..* must give uint8 \(2, 3, 16, 16\)",
        ):
            g.sample([0, 1], 16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", NAMES)
def test_gpu_gives_the_same_pictures_up_to_rounding_or_the_same_laws(name):
    n = 32
    a, b = light(name).sample(range(n), 64), light(name).sample(range(n), 64, device="cuda").cpu()
    if name.startswith(
        ("feature_vis", "stylegan", "stat")
    ):  # rounding grows with every step, layer or round: of these the laws agree
        for law in ("deviation", "mean_step", "neighbour_correlation"):
            mine, theirs = metrics.LAWS[law](a), metrics.LAWS[law](b)
            assert abs(float(mine.median() - theirs.median())) <= metrics.tolerance(
                mine.quantile(torch.tensor([0.25, 0.5, 0.75]).double()).tolist(), n, n
            ), law
    else:
        assert (
            float((a.int() - b.int()).abs().float().mean()) < 0.5
        )  # an orbit's last bits move single points to the next pixel


@pytest.mark.parametrize("name", NAMES)
def test_no_two_places_of_a_family_make_the_same_random_key(name, monkeypatch):
    """A key folded with one number is one draw: two of the same would be the same numbers."""
    places = {}
    fold = rng.fold

    def watched(keys, *parts):
        folded = fold(keys, *parts)
        caller = sys._getframe(1)
        for key in folded.flatten()[:1000].tolist():
            places.setdefault(key, set()).add((caller.f_code.co_filename, caller.f_lineno))
        return folded

    monkeypatch.setattr(rng, "fold", watched)
    source = light(name)
    source.paint(source.keys(range(2), seed=4), torch.arange(2), 64, 4)
    assert all(len(where) == 1 for where in places.values())


@pytest.mark.parametrize("name", NAMES)
def test_spec_names_everything_that_decides_a_picture(name):
    g = light(name)
    assert {
        "generator": name,
        "options": dataclasses.asdict(g.options),
        "revision": g.revision,
    }.items() <= g.spec().items()
    assert json.loads(json.dumps(g.spec())) == g.spec()
    for field in dataclasses.fields(g.options):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(g.options, field.name, getattr(g.options, field.name))


def test_a_mixture_takes_its_parts_pictures_by_weight():
    parts = {"noise-white": 1, "noise-uniform_color": 3}
    g = sl.generator("mixture", parts=parts)
    x, own = (
        g.sample(range(400), 16),
        {name: sl.generator(name).sample(range(400), 16) for name in parts},
    )
    flat = torch.stack([(x == pictures).flatten(1).all(1) for pictures in own.values()])
    assert bool((flat.sum(0) == 1).all()) and float(flat[1].float().mean()) == pytest.approx(
        0.75, abs=0.07
    )


def test_perlin_noise_vanishes_on_its_lattice_and_is_smooth():
    size, cells = 256, 4
    x = smooth_noise.gradient_noise(rng.key("perlin", torch.arange(3)), 1, cells, size)[:, 0]
    near = torch.arange(1, cells) * size // cells  # half a pixel from a lattice line
    assert (
        float(x[:, near][:, :, near].abs().max()) < 0.05 < float(x.std())
        and float(x.diff(dim=2).abs().max()) < 4 * cells / size
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sl.generator("dead-leaves"),
            r"unknown generator 'dead-leaves': did you mean 'dead_leaves-",
        ),
        (
            lambda: sl.generator("dead_leaves-mixed", colour=1),
            r"unknown option 'colour' of generator 'dead_leaves-mixed': allowed are shape, law",
        ),
        (
            lambda: sl.generator("dead_leaves-mixed", shape="hexagon"),
            r"option shape = 'hexagon': must be one of 'circle'",
        ),
        (
            lambda: sl.generator("fractals-sigma", points="many"),
            r"option points = 'many': must be a whole number from 16 to 50,000,000",
        ),
        (
            lambda: sl.generator("fractals-sigma", points=3),
            r"option points = 3: must be a whole number from 16",
        ),
        (lambda: sl.generator("mixture"), r"generator 'mixture' needs the option 'parts'"),
        (
            lambda: sl.generator("mixture", parts={}),
            r"option parts = \{\}: name at least one generator",
        ),
        (
            lambda: sl.generator("mixture", parts={"noise-white": 0}),
            r"option parts\['noise-white'\] = 0: must be a number from 1e-06",
        ),
        (
            lambda: sl.generator("mixture", parts={"noise-whit": 1}),
            r"unknown generator 'noise-whit': did you mean 'noise-white'",
        ),
        (
            lambda: sl.generator("stylegan-random", noise="pink"),
            r'kernels = "free": such networks have neither noise nor biases',
        ),
        (
            lambda: sl.generator("feature_vis-dead_leaves"),
            r"generator 'feature_vis-dead_leaves' needs the option 'encoder'",
        ),
        (
            lambda: sl.generator("feature_vis-random", encoder="nofile").sample([0], 32),
            r"option encoder = 'nofile': no such file; give an encoder's file",
        ),
        (
            lambda: sl.generator("noise-white").sample([0], size=4),
            r"size = 4: must be a whole number from 8 to 1,024",
        ),
        (
            lambda: sl.generator("noise-white").sample([-1]),
            r"index = -1: must be a whole number from 0",
        ),
        (
            lambda: sl.generator("noise-white").sample([0], device="cuda:77"),
            r"device = 'cuda:77': not on this machine; present: cpu",
        ),
        (
            lambda: sl.generator("noise-white").sample([0], device="gpu"),
            r"device = 'gpu': not on this machine",
        ),
    ],
)
def test_bad_input_gets_one_error_that_says_what_is_allowed(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


WEIGHTLESS = [0, -1, math.nan, math.inf, True, 1e-46, 3e38, 10**400, "1", None]


@pytest.mark.parametrize("weight", WEIGHTLESS)
def test_a_weight_that_float32_does_not_hold_is_refused(weight):
    with pytest.raises(ParameterError, match=r"option parts"):
        sl.generator("mixture", parts={"noise-white": 1, "noise-uniform_color": weight})


WRONG_INDEX = [1.5, True, -1, 2**63, 10**400, "1", None, math.nan, torch.tensor(1.5)]


@pytest.mark.parametrize("index", WRONG_INDEX)
def test_an_index_is_a_whole_number_of_64_bits(index):
    for call in (
        lambda: sl.generator("noise-white").sample([index], 16),
        lambda: sl.generator("noise-white").sample([0], 16, seed=index),
    ):
        with pytest.raises(
            ParameterError, match=r"(index|seed) = .*: must be a whole number from 0 to 2\^63 - 1"
        ):
            call()


def test_a_tensor_of_indices_is_one_row_of_whole_numbers():
    white = sl.generator("noise-white")
    for wrong in (
        torch.rand(2),
        torch.ones(2, dtype=torch.bool),
        torch.zeros(1, 1, dtype=torch.int64),
        torch.tensor(1),
        torch.tensor([-1]),
        3,
    ):
        with pytest.raises(ParameterError, match="ind"):
            white.sample(wrong, 16)
    for good in (
        np.array([1, 2]),
        (1, 2),
        range(1, 3),
        torch.tensor([1, 2], dtype=torch.int32),
        [np.int64(1), torch.tensor(2)],
    ):
        assert torch.equal(
            white.sample(good, 16, seed=np.int64(3)), white.sample([1, 2], 16, seed=3)
        )
    assert white.sample([2**63 - 1], 16, seed=2**63 - 1).shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("name", "options"), [("mixed", LIGHT["mixed"]), ("collage", {"rule": "convex"})]
)
def test_parts_of_a_picture_stay_within_64_bits(name, options):
    with pytest.raises(
        ParameterError, match=r"index = 9223372036854775807: must be a whole number from 0 to"
    ):
        sl.generator(name, **options).sample([2**63 - 1], 16)


@pytest.mark.parametrize(
    "device",
    [
        "meta",
        "hpu",
        "privateuseone",
        "cpu:5",
        "cuda:-1",
        "cuda:",
        "cuda:99999999999999999999",
        "",
        "CPU",
        None,
        0,
    ],
)
def test_devices_are_cpu_and_cards_that_are_here(device):
    with pytest.raises(ParameterError, match=r"device = .*: not on this machine; present: cpu"):
        sl.generator("noise-white").sample([0], 16, device=device)


def test_a_torch_device_is_a_device():
    cpu, leaves = torch.device("cpu"), sl.generator("dead_leaves-mixed")
    assert torch.equal(leaves.sample([3], 16, device=cpu), leaves.sample([3], 16))
    known = [sl.annotate(leaves, [3], 16, device=device)["order"] for device in (cpu, "cpu")]
    assert torch.equal(*known)
    with pytest.raises(ParameterError, match="device = 'meta': not on this machine"):
        leaves.sample([0], 16, device=torch.device("meta"))


@pytest.mark.parametrize("size", [True, 7, 1025, 10**6, 16.0, "16", None])
def test_sizes_are_whole_numbers_of_pixels(size):
    with pytest.raises(ParameterError, match=r"size = .*: must be a whole number from 8 to 1,024"):
        sl.generator("noise-white").sample([0], size)


# fractaldb and feature_vis have bounds of their own


@pytest.mark.parametrize("name", NAMES)
def test_no_option_asks_for_endless_work(name):
    kinds = sl.generators.generator_class(name).Options
    for field in dataclasses.fields(kinds):
        # any seed is as much work
        if field.type in (int, float) and not field.name.endswith("seed"):
            assert field.name in kinds.at_least and field.name in kinds.at_most, (
                f"option {field.name} needs a bound in at_least and one in at_most"
            )
            for value in (
                10**25,
                10**15,
                -(10**15),
                1e300,
                math.nan,
                math.inf,
                True,
                "1",
                None,
                [1],
                10**5000,
            ):
                with pytest.raises(
                    ParameterError,
                    match=rf"^option {field.name} = .{{1,80}}: "
                    r"must be a(?: whole)? number from [^\n]{1,60}$",
                ):
                    sl.generator(name, **{**LIGHT.get(name, {}), field.name: value})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("noise-perlin", {"cells": 1000, "octaves": 1}),
        ("noise-perlin", {"cells": 1, "octaves": 11, "persistence": 16}),
        ("collage", {"field": "spectrum", "slope": 5.0, "amplitude": 100}),
        ("collage", {"exponent": 20}),
        ("collage", {"exponent": 0.1}),
        ("fractals-sigma", {"points": 16, "instances": 50, "systems": 10**9}),
        ("programs", {"programs": 10**9}),
        ("stylegan-sparse", {"width": 1 / 64, "bias_low": -10, "bias_high": 10}),
        ("mixture", {"parts": {"noise-white": 1e-6}}),
    ],
)
def test_the_largest_and_least_that_are_allowed_give_pictures(name, options):
    x = sl.generator(name, **options).sample([3], 32)
    assert float(x.float().std()) > 1


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(
        ParameterError, match=r"bias_low = 0.3, bias_high = 0.2: bias_low must be at most bias_high"
    ):
        sl.generator("stylegan-sparse", bias_low=0.3)
    with pytest.raises(
        ParameterError, match=r"cells = 1000, octaves = 4: make 8,000 cells .* at most 4,096"
    ):
        sl.generator("noise-perlin", cells=1000)
    with pytest.raises(
        ParameterError, match=r"option textures = 10000: take 29 GiB at 1024 pixels"
    ):
        sl.generator("dead_leaves-textures").sample([0], 1024)
    with pytest.raises(ParameterError, match=r"option parts: 101 names, must be at most 100"):
        sl.generator("mixed", parts=["noise-white"] * 101)


def test_an_option_may_have_any_name_and_is_then_unknown():
    for option in ("name", "self", "cls", "options", "kind", "", "a b"):
        with pytest.raises(
            ParameterError,
            match=rf"unknown option '{option}' of generator 'noise-perlin': "
            r"allowed are cells, octaves",
        ):
            sl.generator("noise-perlin", **{option: 1})


def test_a_name_belongs_to_one_class_and_defaults_to_its_options():
    class Other(base.Generator):
        """Another."""

    with pytest.raises(
        ParameterError,
        match=r"generator 'noise-white': taken by synthlearn.generators.noise.WhiteNoise; choose",
    ):
        register("noise-white")(Other)
    with pytest.raises(
        ParameterError,
        match=r"generator 'other': registered with a default for 'colour', which is no option",
    ):
        register("other", colour=1)(Other)
    assert "other" not in sl.generators.names()


def test_names_are_looked_for_once(monkeypatch):
    sl.generators.names()
    monkeypatch.setattr(
        registry.importlib.metadata, "entry_points", lambda **_: pytest.fail("searched again")
    )
    assert "noise-white" in sl.generators.names()


@pytest.mark.parametrize(
    "broken",
    [
        "raise ValueError('two\\nlines')",
        "import nowhere_to_be_found",
        "def (",
        "raise SystemExit(3)",
    ],
)
def test_a_broken_plugin_is_named_in_one_line_and_the_others_work(tmp_path, broken, shell):
    (tmp_path / "broken_plugin.py").write_text(broken)
    (tmp_path / "good_plugin.py").write_text(
        "from synthlearn.generators import register\n"
        "from synthlearn.generators.noise import WhiteNoise\n"
        "@register('good')\nclass Good(WhiteNoise):\n    pass\n"
    )
    for name in ("broken_plugin", "good_plugin"):
        (tmp_path / f"{name}-1.dist-info").mkdir()
        (tmp_path / f"{name}-1.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        )
        (tmp_path / f"{name}-1.dist-info" / "entry_points.txt").write_text(
            f"[synthlearn.generators]\n{name} = {name}\n"
        )
    code = "import synthlearn as sl; print(sl.generator('good').sample([0], 8).shape)"
    done = shell(f'python -c "{code}"', tmp_path)
    assert done.stdout.startswith("torch.Size([1, 3, 8, 8])"), done.stderr
    warned = done.stderr.splitlines()
    assert (
        len(warned) == 1
        and warned[0].startswith("warning: generators of the entry point 'broken_plugin'")
        and "all others work" in warned[0]
    )


def test_no_index_gives_an_empty_batch():
    assert sl.generator("noise-white").sample([], 16).shape == (0, 3, 16, 16)


class Foreign(base.Generator):
    """Of another package: its pictures are what ``paints`` gives."""

    def paint(self, keys, indices, size, seed):
        return self.paints()


@pytest.mark.parametrize(
    "name", [5, None, "", "../x", "a b", "<script>", "n" * 101, ".hidden", "a\nb"]
)
def test_a_name_that_no_file_could_have_is_no_generators(name):
    with pytest.raises(ParameterError, match="generator name"):
        register(name)(Foreign)


@pytest.mark.parametrize(
    "cls",
    [
        5,
        int,
        type("NoOptions", (Foreign,), {"Options": int}),
        type("NoWork", (Foreign,), {"work_bytes": 0}),
    ],
)
def test_what_is_no_generator_is_not_registered(cls):
    with pytest.raises(ParameterError, match="must be a subclass of Generator"):
        register("foreign")(cls)
    assert "foreign" not in registry.REGISTRY


@pytest.mark.parametrize("raised", [KeyError("a\nb"), SystemExit(0), ZeroDivisionError(), None])
def test_what_anothers_generator_does_wrong_names_it(raised):
    def paints():
        if raised is not None:
            raise raised

    source = Foreign("foreign", Options())
    source.paints = paints
    with pytest.raises(ParameterError, match=r"generator .foreign.: .*mend it") as caught:
        source.sample(range(2), 16)
    assert "\n" not in str(caught.value)
