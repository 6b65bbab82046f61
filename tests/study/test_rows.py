"""Rows that run: every row of every profile builds its source and draws its first and last image."""

import dataclasses
import importlib.metadata

import pytest
import torch

from synthlearn.core import files
from synthlearn.data import datasets, image_set
from synthlearn.generators import names
from synthlearn.learn import encoders
from synthlearn.study import profiles
from synthlearn.study.rows import encoder_file, wanted
from synthlearn.text2image import captions, flow
from synthlearn.text2image.unet import UNet

# name → training images and classes of the real sets that profiles name; ImageNet-100's number from its own list
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
    """Stand-ins of the real sets, as large as they are, so that what a row asks of them is asked here; and an untrained text-to-image model."""
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
    monkeypatch.setattr(
        captions, "_clusters", lambda x, number: (torch.arange(len(x)) % number).numpy()
    )  # k-means takes seconds
    monkeypatch.setattr(flow, "train", untrained)
    names()  # loads what is registered once; the many look-ups after it need not search the installed packages again
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **group: ())
    captions.captioned.cache_clear()
    yield
    captions.captioned.cache_clear()


def test_every_row_of_every_profile_draws_its_first_and_last_image(real_sets):
    drawn: dict[str, bool] = {}  # by source and number: profiles share most
    for profile in map(profiles.defaults, profiles.NAMES):
        for row in filter(lambda row: row.trained, wanted(profile)):
            p = row.profile(profile)
            fewer = next(
                (options for family, options in SMALLER.items() if row.name.startswith(family)), {}
            )
            allowed = {
                k: v for k, v in fewer.items() if not (row.needs and k in ("encoder", "width"))
            }
            settings = {
                profile.name: {
                    **row.settings.get(profile.name, {}),
                    "options": {**row.options(profile), **allowed},
                }
            }
            row = dataclasses.replace(row, settings=settings)
            if row.needs and not encoder_file(row.needed(profile, 0)).exists():
                encoders.save(
                    encoder_file(row.needed(profile, 0)),
                    encoders.build(encoders.SMALL_ALEXNET, 0.125, 32, 0),
                    {},
                )
            source = row.source(profile, 0)
            shape = files.digest(
                {"source": source.spec(), "n": p.n_images if row.kind != "generator" else "any"}
            )  # a generator's images do not end
            if shape not in drawn:
                images = source.sample([0, p.n_images - 1], SIDE, 0, "cpu")
                drawn[shape] = images.dtype == torch.uint8 and images.shape[:2] == (2, 3)
            assert drawn[shape], f"{row.name} in profile {profile.name}"


def test_a_rows_own_data_and_images_per_class_are_its_sources_too(real_sets):
    base = next(row for row in wanted(profiles.defaults("cpu")) if row.name == "mosaic-named")
    other = dataclasses.replace(
        base,
        settings={"cpu": {"data": "tiny-imagenet-100", "per_class": 20}},
        own_options={"captions": "named", "number": 100},
    )
    options = other.source(profiles.defaults("cpu"), 0).spec()["options"]
    assert (options["data"], options["per_class"]) == ("tiny-imagenet-100", 20)
    real = next(row for row in wanted(profiles.defaults("gpu")) if row.name == "real")
    elsewhere = dataclasses.replace(real, settings={"gpu": {"data": "tiny-imagenet-100"}})
    assert elsewhere.source(profiles.defaults("gpu"), 0).spec()["real"] == "tiny-imagenet-100"
