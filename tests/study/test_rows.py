"""Rows: strict entries, and rows that run, for every row of every profile builds its source and
draws its first and last image."""

import dataclasses
import importlib.metadata

import pytest
import torch

from synthlearn.book.figures import COLOURS
from synthlearn.core import files
from synthlearn.core.errors import ParameterError
from synthlearn.data import datasets, image_set
from synthlearn.generators import generator, names
from synthlearn.learn import encoders
from synthlearn.study import profiles
from synthlearn.study.experiment import Experiment
from synthlearn.study.rows import all_rows, get_row, rows_of
from synthlearn.text2image import captions, flow
from synthlearn.text2image.unet import UNet

# name → training images and classes of the real sets that profiles name; ImageNet-100's number is
# from its own list
SETS = {
    "cifar10-20k": (20_000, 10),
    "cifar10-jpeg": (50_000, 10),
    "tiny-imagenet-100": (10_000, 100),
    "imagenet-100": (126_689, 100),
}
OWN = 8  # their side in pixels, here
SMALLER = {
    "dead_leaves-textures": {"textures": 4},
    "feature_vis": {"encoder": "small", "width": 0.125, "steps": 2},
}  # or drawing takes minutes
SIDE = 32  # drawn: laws of the families at other sizes are their own tests


@pytest.fixture
def real_sets(monkeypatch, runs):
    """Stand-ins of the real sets, as large as they are, so that what a row asks of them is asked
    here; and an untrained text-to-image model."""
    made: dict[tuple[str, str], image_set.ImageSet] = {}

    def load(name, split="train", size=None):
        if name == "digits":
            return datasets._digits(split)
        if (name, split) not in made:
            n, classes = SETS[name]
            labels = torch.arange(n) % classes
            few = (
                ((torch.arange(600)[:, None] * 7 + torch.arange(OWN * OWN) * 5) % 256)
                .byte()
                .view(200, 3, OWN, OWN)
            )
            images = few.repeat(-(-n // len(few)), 1, 1, 1)[:n]
            made[name, split] = image_set.ImageSet(
                name, split, images, labels, tuple(map(str, range(classes))), name
            )
        return made[name, split]

    def untrained(path, images, ids, texts, o, identity, device="cpu"):
        network = UNet(texts, images.shape[-1], 4, 2, 1)
        recipe = dataclasses.asdict(flow.Recipe(base=4, levels=2, blocks=1))
        files.save_tensors(
            path,
            dict(network.state_dict()),
            {
                "kind": "text2image",
                "recipe": recipe,
                "texts": list(texts),
                "side": images.shape[-1],
            },
        )

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(datasets, "digest", lambda name, split, size=None: f"{name} {split}")
    # k-means takes seconds
    turns = lambda x, number: (torch.arange(len(x)) % number).numpy()  # noqa: E731
    monkeypatch.setattr(captions, "_clusters", turns)
    monkeypatch.setattr(flow, "train", untrained)
    # loads what is registered once; look-ups after it need not search the installed packages again
    names()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **group: ())
    captions.captioned.cache_clear()
    yield
    captions.captioned.cache_clear()


def drawable(experiment):
    """The experiment's source at a fraction of its cost, and what tells it from others."""
    row, settings = experiment.row, experiment.settings
    fewer = next((o for family, o in SMALLER.items() if row.name.startswith(family)), {})
    if experiment.needed:
        fewer = {key: value for key, value in fewer.items() if key not in ("encoder", "width")}
        if not experiment.needed.encoder_file.exists():
            small = encoders.build(encoders.SMALL_ALEXNET, 0.125, 32, 0)
            encoders.save(experiment.needed.encoder_file, small, {})
    own = row.by_profile.get(settings.name, {})
    options = {**own.get("options", {}), **fewer}
    by_profile = {settings.name: {**own, "options": options}}
    cheap = dataclasses.replace(row, by_profile=by_profile)
    source = dataclasses.replace(experiment, row=cheap).source()
    # a generator's images do not end
    n = "any" if row.kind == "generator" else settings.n_images
    return source, files.digest({"source": source.spec(), "n": n})


def test_every_row_of_every_profile_draws_its_first_and_last_image(real_sets):
    drawn: dict[str, bool] = {}  # by source and number: profiles share most
    for profile in map(profiles.defaults, profiles.NAMES):
        for row in (row for row in rows_of(profile) if row.trained):
            experiment = Experiment(row, profile, 0)
            source, identity = drawable(experiment)
            if identity not in drawn:
                images = source.sample([0, experiment.settings.n_images - 1], SIDE, 0, "cpu")
                drawn[identity] = images.dtype == torch.uint8 and images.shape[:2] == (2, 3)
            assert drawn[identity], f"{row.name} in profile {profile.name}"


def test_a_rows_own_data_and_images_per_class_are_its_sources_too(real_sets):
    cpu, gpu = profiles.defaults("cpu"), profiles.defaults("gpu")
    other = dataclasses.replace(
        get_row("mosaic-named"),
        by_profile={"cpu": {"data": "tiny-imagenet-100", "per_class": 20}},
        options={"captions": "named", "number": 100},
    )
    options = Experiment(other, cpu, 0).source().spec()["options"]
    assert (options["data"], options["per_class"]) == ("tiny-imagenet-100", 20)
    elsewhere = {"gpu": {"data": "tiny-imagenet-100"}}
    real = dataclasses.replace(get_row("real"), by_profile=elsewhere)
    assert Experiment(real, gpu, 0).source().spec()["real"] == "tiny-imagenet-100"


def test_every_row_has_a_chapter_and_a_colour():
    for row in all_rows().values():
        assert row.family in COLOURS
        assert (files.root() / "notebooks" / f"{row.chapter}.py").exists()


def test_unknown_rows_are_named():
    with pytest.raises(ParameterError, match="'dead_leaves-mix': did you mean 'dead_leaves-mixed'"):
        get_row("dead_leaves-mix")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("chapters = 1", r"row 'x' has 'chapters'; allowed are baseline, chapter"),
        ("baseline = 'none'", "row 'x' has baseline = 'none', allowed are random, raw_pixels"),
        ("classes = 'many'", "row 'x' has classes = 'many', allowed are own, pictures"),
        ("overrides = { epoch = 3 }", "unknown parameter 'epoch'"),
        ("settings = { cpu = { lr = -1 } }", "lr = -1: must lie between"),
        ("settings = { tiny = { lr = 1 } }", "profile = 'tiny': must be one of"),
        ("profiles = ['tiny']", "profile = 'tiny': must be one of"),
        ("source = 'nowhere'", "row 'x': unknown source 'nowhere'"),
        ("options = 3", "row 'x': options = 3: must be a table"),
        ("profiles = 'cpu'", "row 'x': profiles = 'cpu': must be a list of texts"),
        ("settings = { cpu = 3 }", "row 'x': settings.cpu = 3: must be a table"),
        ("needs = 'nobody'", "row 'x' needs 'nobody', which is no row"),
        ("[y]\ntitle = 'y'", "row 'y' has no family; add family = \"…\""),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(entry, message, tmp_path, monkeypatch):
    (tmp_path / "workflow").mkdir()
    text = f"[x]\ntitle = 'x'\nfamily = 'x'\nchapter = 'x'\n{entry}\n"
    if "source" not in entry and "baseline" not in entry:
        text = text.replace("[x]\n", "[x]\nsource = 'noise-white'\n")
    (tmp_path / "workflow" / "study.toml").write_text(text)
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(tmp_path))
    with pytest.raises(ParameterError, match=message):
        all_rows.__wrapped__()


def test_a_rows_settings_hold_in_their_profile_and_yield_to_the_caller():
    row = get_row("feature_vis-random")
    smoke, cpu = profiles.resolve("smoke"), profiles.resolve("cpu")
    own = row.by_profile
    assert row.settings(smoke).n_images == own["smoke"]["n_images"]
    assert row.settings(cpu).epochs == own["cpu"]["epochs"]
    assert row.settings(profiles.resolve("smoke", n_images=300)).n_images == 300
    options = row.source_options(row.settings(smoke))
    assert options["steps"] == own["smoke"]["options"]["steps"]


def test_a_variants_fields_hold_in_every_profile_and_whatever_the_caller_says():
    row = get_row("real.simclr")
    assert row.overrides["method"] == "simclr" and row.is_variant
    assert row.settings(profiles.resolve("smoke", method="moco")).method == "simclr"


def test_every_rows_settings_are_options_of_its_generator_and_fields_of_a_profile():
    for row in all_rows().values():
        for name, fields in row.by_profile.items():
            assert name in profiles.NAMES and set(fields) - {"options"} <= set(profiles.FIELDS)
            if row.kind == "generator":
                needed = {"encoder": "some"} if row.needs else {}
                options = {**row.options, **fields.get("options", {}), **needed}
                generator(row.source_name, **options)


def test_a_profile_has_the_rows_that_name_it():
    smoke, cpu = (rows_of(profiles.defaults(name)) for name in ("smoke", "cpu"))
    assert {row.name for row in smoke} < set(all_rows())
    assert "mosaic-wide" in {row.name for row in cpu}
    assert "learned-wide" not in {row.name for row in smoke}
    assert all("smoke" in row.profiles for row in smoke)
