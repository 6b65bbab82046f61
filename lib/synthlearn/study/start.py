"""Short starts of jobs as digests: what ``verify --against`` runs under two versions of the
library, each by its own copy of this module.

A start is the job itself, small: the study's own assembly over few pictures, or the measurement as
it is made. Arguments: profile, and the search whose configurations are named. Input: a JSON list of
names ("NAME" of a row, "what:NAME" of a measurement, "point:NUMBER" of a configuration), each with
specs of records. Output, a JSON line for each: digest of all numbers that the start gave, and the
code hash of every spec."""

import dataclasses
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..data import datasets
from . import assembly
from .code import code_of
from .experiment import Experiment
from .measuring import Measuring, plans
from .profiles import Profile, resolve
from .records import Spec
from .rows import Row, get_row
from .search import get_search

PICTURES = 64
BATCH = 32
STEPS = 2
PER_CLASS = 10  # labelled images, of training and of testing
CAPTIONS = 8  # so few pictures have several of a caption only if there are few captions
RUNS = "SYNTHLEARN_RUNS"


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
    small = {"n_images": PICTURES, "batch_size": BATCH, "device": "cpu"}
    options = dict(row.method_options)
    captioned = "images_per_caption" in options
    if captioned:
        options["images_per_caption"] = 2
    few = dataclasses.replace(row, overrides={**row.overrides, **small}, method_options=options)
    experiment, begun = Experiment(few, profile, 0), ""
    encoder = None if row.trained else experiment.encoder()
    if row.trained:
        training = experiment.training(keep=False)
        if captioned and training.labels is not None:
            training = dataclasses.replace(training, labels=training.labels % CAPTIONS)
        curves = training.run(until=STEPS).curves
        pictures = assembly.pictures_of(training, 1, torch.arange(PICTURES))
        begun = digest(pictures, curves, *training.method.state_dict().values())
        encoder = training.method.encoder.eval()
    crop = experiment.settings.crop
    data = [
        datasets.load(experiment.settings.data, split, crop).first(PER_CLASS)
        for split in datasets.SPLITS
    ]
    measured = assembly.probes(few, crop, 0, encoder, (data[0], data[1])).values()
    correct = [m.correct for m in measured]
    if not row.has_encoder:
        return digest(*correct, *(m.l2 for m in measured))
    return digest(begun, *correct, [m.l2 for m in measured])


def of_measurement(name: str) -> str:
    """A further measurement as it is made, of the smoke profile's rows that it is planned for; what
    it needs is trained for it, and kept nowhere."""
    with _no_runs():
        profile = resolve("smoke", device="cpu")
        jobs = [Measuring(name, experiment) for experiment in plans()[name].experiments(profile)]
        parts = [
            (job.experiment.row.name, part, result.to_json())
            for job in jobs
            for part, result in job.parts()
        ]
    return digest(json.dumps(parts, sort_keys=True))


@contextmanager
def _no_runs() -> Iterator[None]:
    """An empty folder in place of what earlier runs have left."""
    kept = os.environ.get(RUNS)
    with tempfile.TemporaryDirectory() as runs:
        os.environ[RUNS] = runs
        try:
            yield
        finally:
            del os.environ[RUNS]
            if kept is not None:
                os.environ[RUNS] = kept


def of(name: str, profile: Profile, search: str) -> str:
    """The start of what a name stands for."""
    kind, _, rest = name.partition(":")
    if kind == "what":
        return of_measurement(rest)
    row = get_search(search, profile.name).row(int(rest)) if kind == "point" else get_row(name)
    return of_row(row, profile)


def main() -> None:
    """Read the names, print the digests."""
    profile, search = resolve(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    for name, specs in json.load(sys.stdin):
        codes = [code_of(Spec(spec)) for spec in specs]
        print(json.dumps([of(name, profile, search), codes]), flush=True)


if __name__ == "__main__":
    main()
