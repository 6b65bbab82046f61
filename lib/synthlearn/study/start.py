"""Short starts of rows and measurements as digests; a script that runs under this version of the library or an older one (see ``versions``).

It keeps to what both have. Arguments: profile. Input: a JSON list of names of rows, "what:NAME" for measurements and "point:NUMBER" for the
search's points, each with specs of records.
Output, a JSON line for each: digest of all numbers that the start gave, and the code hash of every spec.
"""

import dataclasses
import hashlib
import json
import os
import sys
import tempfile
from typing import Any

import torch
from torch import Tensor

from .. import study
from ..data import datasets, stream
from ..data.datasets import ImageSet
from ..learn import encoders, train
from ..measure import probe
from . import Profile, Row, measurements, records, run, search

PICTURES, BATCH, STEPS, PER_CLASS, CAPTIONS = 64, 32, 2, 10, 8


def digest(*values: Any) -> str:
    """SHA-256 over tensors' bytes and other values as written."""
    found = hashlib.sha256()
    for value in values:
        found.update(
            value.contiguous().numpy().tobytes()
            if isinstance(value, Tensor)
            else repr(value).encode()
        )
    return found.hexdigest()


def labelled(p: Profile) -> list[ImageSet]:
    """A few labelled images of each class, for training and for testing."""
    return [datasets.load(p.data, split, p.crop).first(PER_CLASS) for split in datasets.SPLITS]


def of_row(row: Row, profile: Profile) -> str:
    """Pictures, two steps of training and the probes of a row, seed 0, all smaller than in the study."""
    p = dataclasses.replace(row.profile(profile), n_images=PICTURES, batch_size=BATCH, device="cpu")
    labelled_training, test = labelled(p)
    if row.kind in ("raw_pixels", "mean_colours"):
        x, y = (
            (
                probe.mean_colours(s.images)
                if row.kind == "mean_colours"
                else probe.raw_pixels(s.images, p.crop)
            )
            for s in (labelled_training, test)
        )
        m = probe.linear(x, labelled_training.labels, y, test.labels, len(test.classes))
        return digest(m.correct, m.l2)
    encoder: encoders.Encoder = encoders.build(p.encoder, p.width, p.crop, 0)
    begun = ""
    if row.trained:
        options = dict(row.method_options)
        if (
            "images_per_caption" in options
        ):  # so few pictures have several of a caption only if there are few captions
            options["images_per_caption"] = 2
        few = dataclasses.replace(row, method_options=options)
        source, slots = run.source_of(few, profile, 0), torch.arange(PICTURES)
        images: stream.Batches = stream.Pool(source.sample(slots, p.image_size, 0, "cpu"))
        if p.refresh:
            images = stream.batches(source, PICTURES, p.image_size, 0, "cpu", p.refresh)
        method, labels = run.method_of(few, p, 0, source)
        if labels is not None and "images_per_caption" in options:
            labels %= CAPTIONS
        training = train.Training(images, method, p.augmenter(), p.optimisation(), 0, labels)
        curves = training.run(until=STEPS).curves
        begun, encoder = (
            digest(images.batch(1, slots), curves, *method.state_dict().values()),
            method.encoder,
        )
    measured = probe.measure(encoder.eval(), labelled_training, test, 0)
    return digest(begun, *(m.correct for m in measured.values()), [m.l2 for m in measured.values()])


def of_measurement(what: str) -> str:
    """A further measurement as it is made, of the smoke profile's rows that it is planned for; what it needs is trained for it, and kept nowhere."""
    kept = os.environ.get("SYNTHLEARN_RUNS")
    with tempfile.TemporaryDirectory() as runs:
        os.environ["SYNTHLEARN_RUNS"] = runs
        try:
            profile = study.resolve("smoke", device="cpu")
            parts = [
                (row.name, *part)
                for row, seed in measurements.planned(what, profile)
                for part in measurements.parts(what, row, profile, seed)
            ]
        finally:
            if kept is None:
                del os.environ["SYNTHLEARN_RUNS"]
            else:
                os.environ["SYNTHLEARN_RUNS"] = kept
    return digest(json.dumps(parts, sort_keys=True))


def main() -> None:
    """Read the names, print the digests."""
    profile = study.resolve(sys.argv[1])
    torch.set_num_threads(1)
    for name, specs in json.load(sys.stdin):
        what = name.removeprefix("what:")
        if name.startswith("point:"):
            found = of_row(
                search.search("collage", profile.name).row(int(name.removeprefix("point:"))),
                profile,
            )
        else:
            found = of_row(study.row(name), profile) if what == name else of_measurement(what)
        print(json.dumps([found, [records.code_of(spec) for spec in specs]]), flush=True)


if __name__ == "__main__":
    main()
