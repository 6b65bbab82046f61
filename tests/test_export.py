"""Exported sets: every generator's pictures come back bit for bit, with a card that says how to make them again."""

import json
import re
import shlex

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image
from test_generators import NAMES, light

from synthlearn import export
from synthlearn.__main__ import main


@pytest.mark.parametrize("name", NAMES)
def test_png_and_webdataset_round_trip(name, tmp_path):
    g = light(name)
    want = g.sample(range(3), 32, seed=2)
    for form in ("imagefolder", "webdataset"):
        export.write(g, 3, 32, 2, tmp_path / form, form)
        described = json.loads((tmp_path / form / "generator.json").read_text())
        assert g.spec().items() <= described.items() and described["license"] == "CC0-1.0" and described["seed"] == 2
        assert name in (tmp_path / form / "README.md").read_text()
    stored = [torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) for path in sorted((tmp_path / "imagefolder").rglob("*.png"))]
    assert torch.equal(torch.stack(stored), want)
    shards = webdataset.WebDataset(str(tmp_path / "webdataset" / "shard-00000.tar"), shardshuffle=False).decode("rgb8")
    assert torch.equal(torch.stack([torch.from_numpy(s["png"].copy()).permute(2, 0, 1) for s in shards]), want)


@pytest.mark.parametrize("name", NAMES)
def test_the_cards_command_makes_the_same_set(name, tmp_path):
    export.write(light(name), 2, 32, 5, tmp_path / "a")
    card = (tmp_path / "a" / "README.md").read_text()
    command = shlex.split(re.search(r"^python -m synthlearn (.*) --out FOLDER$", card, re.M).group(1))
    assert main([*command, "--out", str(tmp_path / "b")]) == 0
    checksum = re.compile("`([0-9a-f]{64})`")
    assert checksum.search(card).group(1) == checksum.search((tmp_path / "b" / "README.md").read_text()).group(1)
