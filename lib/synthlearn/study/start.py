"""Short starts of jobs as digests: what ``verify --against`` runs under two versions of the
library, each by its own copy of this module.

A start is the job itself, small: the study's own assembly over few images, or the measurement as
it is made. Arguments: profile, and the search whose configurations are named. Input: a JSON list of
names ("NAME" of a row, "what:NAME" of a measurement, "point:NUMBER" of a configuration), each with
specs of records. Output, a JSON line for each: digest of all numbers that the start gave, and the
code hash of every spec. Other versions must understand both."""

import dataclasses
import hashlib
import json
import os
import sys
import tempfile
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from . import assembly
from .code import code_of
from .experiment import Experiment
from .measuring import Measuring, plans
from .profiles import Profile, resolve
from .records import Spec
from .rows import Row, get_row
from .search import get_search

PICTURES = 64
SMALL = {"n_images": PICTURES, "batch_size": 32, "device": "cpu"}
STEPS = 2
PER_CLASS = 10  # labelled images, of training and of testing
CAPTIONS = 8  # so few images have several of a caption only if there are few captions


def digest(*values: Any) -> str:
    """SHA-256 over tensors' bytes and other values as written."""
    sha = hashlib.sha256()
    for value in values:
        tensor = isinstance(value, Tensor)
        sha.update(value.contiguous().numpy().tobytes() if tensor else repr(value).encode())
    return sha.hexdigest()


def of_row(row: Row, profile: Profile) -> str:
    """Pictures, two steps of training and the probes of a row, seed 0, all smaller than in the
    study."""
    options = dict(row.method_options)
    captioned = "images_per_caption" in options
    if captioned:
        options["images_per_caption"] = 2
    few = dataclasses.replace(row, overrides={**row.overrides, **SMALL}, method_options=options)
    experiment, begun = Experiment(few, profile, 0), ""
    if row.trained:
        training = experiment.training(keep=False)
        if captioned and training.labels is not None:
            training = dataclasses.replace(training, labels=training.labels % CAPTIONS)
        curves = training.run(until=STEPS).curves
        pictures = assembly.pictures_of(training, 1, torch.arange(PICTURES))
        begun = digest(pictures, curves, *training.method.state_dict().values())
    encoder = training.method.encoder.eval() if row.trained else experiment.encoder()
    train, test = (part.first(PER_CLASS) for part in experiment.probe_data())
    data, crop = (train, test), experiment.settings.crop
    measured = assembly.probes(few, crop, 0, encoder, data).values()
    correct, penalties = [m.correct for m in measured], [m.l2 for m in measured]
    plain = digest(*correct, *penalties)
    return plain if encoder is None else digest(begun, *correct, penalties)


def of_measurement(name: str) -> str:
    """A further measurement as it is made, of the smoke profile's rows that it is planned for, or
    that are named for a start; what it needs is trained for it, and kept nowhere."""
    parts = []
    with tempfile.TemporaryDirectory() as runs, mock.patch.dict(os.environ, SYNTHLEARN_RUNS=runs):
        for experiment in plans()[name].of_start(resolve("smoke", device="cpu")):
            for part, result in Measuring(name, experiment).parts():
                parts.append((experiment.row.name, part, result.to_json()))
    return digest(json.dumps(parts, sort_keys=True))


def main() -> None:
    """Read the names, print the digests."""
    profile, search = resolve(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    for name, specs in json.load(sys.stdin):
        match name.split(":"):
            case "what", measurement:
                start = of_measurement(measurement)
            case "point", number:
                start = of_row(get_search(search, profile.name).row(int(number)), profile)
            case _:
                start = of_row(get_row(name), profile)
        print(json.dumps([start, [code_of(Spec(spec)) for spec in specs]]), flush=True)


if __name__ == "__main__":
    main()
