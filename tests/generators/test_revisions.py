"""Images that change have another revision: pools and records are known by it.

``revisions.json`` has small copies of three images of every generator. Where a generator's images
change on purpose, raise its ``revision`` and write the file anew:
``python tests/generators/test_revisions.py``.
"""

import json
from pathlib import Path

import pytest
import torch
from test_generators import NAMES, light
from torch.nn.functional import adaptive_avg_pool2d

FILE = Path(__file__).with_name("revisions.json")
SIZE, CELLS = 32, 4
# Levels of 256: how far processors may lie apart on average. Other random numbers give above 10.
APART = 3.0


def small_copies(name):
    """Three images in 4 × 4 cells, whole numbers from 0 to 255."""
    images = light(name).sample([0, 1, 17], SIZE, seed=1).float()
    return adaptive_avg_pool2d(images, CELLS).round().int().flatten().tolist()


def differ(a, b):
    return float((torch.tensor(a) - torch.tensor(b)).abs().float().mean()) > APART


def known():
    return json.loads(FILE.read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_images_are_those_of_their_revision(name):
    entry = known()[name]
    assert light(name).revision == entry["revision"], "write revisions.json anew"
    assert not differ(small_copies(name), entry["images"]), "the images changed: raise `revision`"


@pytest.mark.parametrize("name", NAMES)
def test_other_random_numbers_would_be_noticed(name):
    other = light(name).sample([2, 3, 18], SIZE, seed=1).float()
    other = adaptive_avg_pool2d(other, CELLS).round().int().flatten().tolist()
    assert differ(other, known()[name]["images"])


def write():
    every = {
        name: {"revision": light(name).revision, "images": small_copies(name)} for name in NAMES
    }
    lines = [f'"{name}": {json.dumps(entry)}' for name, entry in every.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    write()
