"""Short starts of rows and measurements as digests; a script that runs under this version of the library or an older one (see ``versions``).

It keeps to what both have. Arguments: profile. Input: a JSON list of names of rows, "what:NAME" for measurements and "point:NUMBER" for the
search's points, each with specs of records.
Output, a JSON line for each: digest of all numbers that the start gave, and the code hash of every spec.
"""

import dataclasses
import hashlib
import json
import sys
from typing import Any

import torch
from torch import Tensor

from synthlearn import datasets, encoders, fidelity, long_tail, memory, methods, private, probe, properties, stream, study, train, transfer
from synthlearn.datasets import ImageSet
from synthlearn.image import resize
from synthlearn.study import Profile, Row, records, run, search
from synthlearn.text2image import nearest
from synthlearn.text2image.captions import CaptionSource

PICTURES, BATCH, STEPS, PER_CLASS, CAPTIONS = 64, 32, 2, 10, 8


def digest(*values: Any) -> str:
    """SHA-256 over tensors' bytes and other values as written."""
    found = hashlib.sha256()
    for value in values:
        found.update(value.contiguous().numpy().tobytes() if isinstance(value, Tensor) else repr(value).encode())
    return found.hexdigest()


def labelled(p: Profile) -> list[ImageSet]:
    """A few labelled images of each class, for training and for testing."""
    return [datasets.load(p.data, split, p.crop).first(PER_CLASS) for split in datasets.SPLITS]


def of_row(row: Row, profile: Profile) -> str:
    """Pictures, two steps of training and the probes of a row, seed 0, all smaller than in the study."""
    p = dataclasses.replace(row.profile(profile), batch_size=BATCH, device="cpu")
    training, test = labelled(p)
    if row.kind in ("raw_pixels", "mean_colours"):
        x, y = ((probe.mean_colours(s.images) if row.kind == "mean_colours" else probe.raw_pixels(s.images, p.crop)) for s in (training, test))
        m = probe.linear(x, training.labels, y, test.labels, len(test.classes))
        return digest(m.correct, m.l2)
    encoder, begun = encoders.build(p.encoder, p.width, p.crop, 0), ""
    if row.trained:
        source, slots = run.source_of(row, profile, 0), torch.arange(PICTURES)
        changing = stream.feed(source, PICTURES, p.image_size, 0, "cpu", p.refresh) if p.refresh else None
        images = changing.batch(1, slots) if changing else source.sample(slots, p.image_size, 0, "cpu")
        kind = methods.METHODS[p.method]
        own, options = row.classes == "own", dict(row.method_options)
        labels = None if not kind.labelled else stream.labels(source, PICTURES) if own else torch.arange(PICTURES)
        if labels is not None and "images_per_caption" in options:  # so few pictures have several of a caption only if there are few captions
            labels, options["images_per_caption"] = labels % CAPTIONS, 2
        texts: dict[str, Any] = {"texts": source.texts()} if isinstance(source, CaptionSource) and p.method in ("stablerep_plus", "clip") else {}
        method = kind(encoder, options, 0 if labels is None else max(2, int(labels.max()) + 1), 0, **texts)
        curves = train.pretrain(images, method, p.augmenter(), p.optimisation(), 0, until=STEPS, labels=labels).curves
        begun = digest(images, curves, *method.state_dict().values())
    measured = probe.measure(encoder.eval(), training, test, 0)
    return digest(begun, *(m.correct for m in measured.values()), [m.l2 for m in measured.values()])


def of_measurement(what: str, profile: Profile) -> str:
    """A further measurement on a small untrained encoder and few images."""
    training, test = labelled(profile)
    encoder = encoders.build(encoders.SMALL_ALEXNET, 0.125, profile.crop, 0).eval()
    if what == "transfer":
        tasks = {"specialised": ["digits"], "structured": ["count", "position", "orientation", "size"]}
        return digest(*transfer.suite(encoder, tasks, profile.crop, 0), *transfer.suite(None, {"structured": ["size"]}, profile.crop, 0))
    if what == "fine_tuning":
        return digest(*transfer.fine_tuning(encoder, training, test, (1,), 0))
    if what == "long_tail":
        arms = long_tail.arms(lambda images: probe.raw_pixels(images, 8), training, test, PER_CLASS, profile.augmenter(), 0)
        return digest(*arms.values())
    if what == "guidance":
        x, y = (probe.features(encoder, s.images, ("fc6",))["fc6"] for s in (training, test))
        judge = fidelity.Judge(x, training.labels, len(training.classes))
        near, _ = nearest(resize(test.images, 16), resize(training.images, 16))
        found: list[Any] = [fidelity.variety(y, test.labels), fidelity.imbalance(judge.says(y), len(test.classes)), properties.frechet(x.double(), y.double())]
        return digest(judge.says(y), near, *found, properties.neighbourhoods(x.double(), y.double()))
    if what in ("memory", "private"):
        x, y = (memory.embed(encoder, s.images, "fc6") for s in (training, test))
        if what == "private":
            x, y = private.prepared(x, y), private.prepared(y, y)
            weights = private.fit(x, training.labels, len(training.classes), private.settings()[0], private.noise_multiplier(4.0, 30), 0)
            return digest(weights, private.accuracy(y, test.labels, weights))
        held = memory.Memory({}, x.shape[1])
        held.add([str(i) for i in range(len(x))], [training.classes[c] for c in training.labels.tolist()], x)
        return digest(held.classify(y), sorted(held.influential(y)))
    if what != "properties":
        return digest(*getattr(transfer, what)(encoder, training, test, 0))
    x, y = (probe.features(encoder, s.images, ("conv5",))["conv5"].double() for s in (training, test))
    views = properties.two_views(test.images, profile.augmenter(), 0)
    found = [properties.frechet(x, y), properties.neighbourhoods(x, y), properties.log_volume(x, 1e-3), properties.effective_rank(x)]
    found.append(properties.symmetric_kl(*(properties.colour_histogram(s.images) for s in (training, test))))
    return digest(*found, properties.spectrum_exponent(test.images), properties.coherence(*(v.flatten(1).double() for v in views)))


def main() -> None:
    """Read the names, print the digests."""
    profile = study.resolve(sys.argv[1])
    torch.set_num_threads(1)
    for name, specs in json.load(sys.stdin):
        what = name.removeprefix("what:")
        if name.startswith("point:"):
            found = of_row(search.search("collage", profile.name).row(int(name.removeprefix("point:"))), profile)
        else:
            found = of_row(study.row(name), profile) if what == name else of_measurement(what, profile)
        print(json.dumps([found, [records.code_of(spec) for spec in specs]]), flush=True)


if __name__ == "__main__":
    main()
