"""Run a row: from its spec to its record, cached, resumable, replayable."""

import base64
import datetime
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import deadline, files, machine
from ..core.errors import OutOfTime
from ..data import Source, datasets, stream
from ..learn import encoders, methods, train
from ..measure import probe
from ..text2image.captions import CaptionSource
from . import comparison, inference, records
from .comparison import Comparison, to_the_bit
from .profiles import Profile, anywhere, is_study
from .rows import Row, encoder_file, rows, spec, wanted

REPLAY_POINTS = 3  # of the recorded curve, that a replay must meet
REPLAY_PICTURES = 50  # of a kept pool, that are made again
CHANGED = Comparison(
    False, "for the same spec", "the row's spec has changed: run it again", strict=True
)


def path(row: Row, profile: Profile, seed: int) -> Path:
    """The record's file."""
    return records.folder(profile) / f"{row.name}-s{seed}.json"


def state(row: Row, profile: Profile, seed: int) -> str:
    """Whether a record is "fresh", "stale" (of another spec or other code) or "missing"."""
    where = path(row, profile, seed)
    if not where.exists():
        return "missing"
    return "fresh" if records.fresh(records.read(where), specs(row, profile, seed)) else "stale"


def specs(row: Row, profile: Profile, seed: int) -> Iterator[dict[str, Any]]:
    """The row's spec on the profile's device, then on the other kind: a record of either is the row's."""
    return (spec(row, p, seed) for p in anywhere(profile))


def record(row: Row, profile: Profile, seed: int) -> dict[str, Any]:
    """The row's record: read if it is fresh, else made and written.

    Raises: what the source, the training or the measurement raises; nothing is written then, and a checkpoint lets the next call go on.
    """
    described = spec(row, profile, seed)
    where = path(row, profile, seed)
    if where.exists():
        found = records.read(where)
        if records.fresh(found, specs(row, profile, seed)):
            return found
    files.check_target(where)
    prepare(profile)
    if row.needs:  # before the clock starts: it is another row
        trained_encoder(rows()[row.needs], profile, seed)
    made = _make(row, profile, seed, described)
    records.write(where, made)
    checkpoint(made["id"]).unlink(
        missing_ok=True
    )  # not before: what was trained must not be lost to the measurement
    return records.read(where)


def prepare(profile: Profile) -> None:
    """This process's threads, and float32 that is one on a GPU too: convolutions there round to ten bits of mantissa (TF32) by default."""
    torch.set_num_threads(profile.threads)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = (
        True  # shapes come again and again: the fastest kernel of each is looked for once
    )


def runs(row: Row, profile: Profile) -> list[dict[str, Any]]:
    """A row's runs. In the study's own profiles those that are recorded, twins last (empty: none is yet); in others all seeds, made where missing.

    A recorded run that is stale is made again, but read as it is where the probe's data are not here to make it with.
    """
    seeds = range(row.profile(profile).seeds)
    if not is_study(profile):
        return [record(row, profile, seed) for seed in seeds]
    here = row.profile(profile).data in datasets.names()
    there = [seed for seed in seeds if path(row, profile, seed).exists()]
    found = [
        record(row, profile, seed) if here else records.read(path(row, profile, seed))
        for seed in there
    ]
    return found + [twin for _, twin in records.twins(profile.name) if twin["row"] == row.name]


def chapter(name: str, profile: Profile) -> dict[str, list[dict[str, Any]]]:
    """The runs of a chapter's rows by row. Rows of the study's own profiles that have none yet are left out: ``make study`` makes them."""
    mine = [row for row in wanted(profile) if row.chapter == name]
    return {row.name: made for row in mine if (made := runs(row, profile))}


def checkpoint(identity: str) -> Path:
    """Where a run keeps what it needs to go on."""
    return files.runs() / "checkpoints" / f"{identity[:24]}.safetensors"


def trained_encoder(row: Row, profile: Profile, seed: int) -> Path:
    """The file of a row's trained encoder: the one that is kept for its spec, else the row is run, or trained again where its record is there.

    Training again gives the same encoder on the same kind of machine. Whether a kept one's record is stale is for ``status`` to say.
    """
    identity = files.digest(spec(row, profile, seed))
    if not encoder_file(identity).exists():
        record(row, profile, seed)
    if not encoder_file(identity).exists():
        _pretrain(row, profile, seed, identity)
        checkpoint(identity).unlink(
            missing_ok=True
        )  # not before: a full disk must not cost the training
    return encoder_file(identity)


def source_of(row: Row, profile: Profile, seed: int) -> Source:
    """The row's source, with the encoder that it needs at hand."""
    if row.needs:
        trained_encoder(rows()[row.needs], profile, seed)
    source = row.source(profile, seed)
    if isinstance(source, CaptionSource):
        source.prepare(profile.device)
    return source


def _pretrain(
    row: Row, profile: Profile, seed: int, identity: str
) -> tuple[train.Trained, float, int]:
    """Train a row's encoder and keep it: (curves, seconds that the pictures took, views that the network saw)."""
    p = row.profile(profile)
    source, began = source_of(row, profile, seed), time.perf_counter()
    images = stream.batches(source, p.n_images, p.image_size, seed, p.device, p.refresh)
    pool_seconds = time.perf_counter() - began
    method, labels = method_of(row, p, seed, source)
    training = train.Training(images, method, p.augmenter(), p.optimisation(), seed, labels)
    trained = training.run(checkpoint(identity), identity)
    encoders.save(encoder_file(identity), method.encoder, {"record": identity})
    return trained, pool_seconds, training.views_seen()


def short_trained(row: Row, p: Profile, seed: int) -> encoders.Encoder:
    """An encoder of a row, trained in one go; neither it nor its pictures are kept."""
    source = source_of(row, p, seed)
    images = stream.Pool(
        source.sample(torch.arange(p.n_images), p.image_size, seed, p.device), p.device
    )
    method, labels = method_of(row, p, seed, source)
    train.Training(images, method, p.augmenter(), p.optimisation(), seed, labels).run()
    return method.encoder


def method_of(
    row: Row, p: Profile, seed: int, source: Source
) -> tuple[methods.Method, Tensor | None]:
    """A row's method over a new encoder, and the classes of its pool where the method needs them."""
    methods.spec(p.method, row.method_options)  # names an option that does not exist
    kind = methods.METHODS[p.method]
    labels = _classes(row, p, source) if kind.labelled and not p.refresh else None
    encoder = encoders.build(p.encoder, p.width, p.crop, seed).to(p.device)
    return kind(
        encoder,
        row.method_options,
        0 if labels is None else int(labels.max()) + 1,
        seed,
        getattr(source, "texts", tuple)(),
    ), labels


def _classes(row: Row, p: Profile, source: Source) -> Tensor | None:
    """Class of each picture of the pool, int64 (n,)."""
    return (
        torch.arange(p.n_images)
        if row.classes == "pictures"
        else source.labels(torch.arange(p.n_images))
    )


def _make(row: Row, profile: Profile, seed: int, described: dict[str, Any]) -> dict[str, Any]:
    p = row.profile(profile)
    origin = provenance(described, p)  # before the run: the code may be edited while it lasts
    began, cpu, identity = time.perf_counter(), time.process_time(), files.digest(described)
    if p.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(p.device)  # of the row before, in the same process
    attempts = files.runs() / "attempts" / identity[:24]
    tries = attempts.read_bytes().count(b"\n") if attempts.is_file() else 0
    files.append_line(attempts, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    made: dict[str, Any] = {
        "id": identity,
        "row": row.name,
        "profile": p.name,
        "spec": described,
        "curves": {},
        "cost": {"failed_tries": tries},
    }
    if row.trained:
        trained, pool_seconds, views = _pretrain(row, profile, seed, identity)
        made["curves"] = trained.curves
        made["cost"] |= {
            "images": p.n_images,
            "pool_seconds": round(pool_seconds, 1),
            "train_seconds": round(trained.seconds, 1),
        }
        made["cost"] |= {"resumed": trained.resumed, "views": views}
        if deadline.passed():
            raise OutOfTime(
                f"the time is over: {row.name} seed {seed} is trained and waits for its measurement; the next call goes on there"
            )
    if row.trained or row.kind == "random":
        made["filters"] = filters(encoder_of(row, p, seed, encoder_file(identity)))
    started = time.perf_counter()
    measured = _measure(row, p, seed, encoder_file(identity))
    made["cost"]["probe_seconds"] = round(time.perf_counter() - started, 1)
    made["results"] = {name: _result(m) for name, m in measured.items()}
    made["cost"] |= {
        "wall_seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mb": peak_memory(p.device),
    }
    made["provenance"] = origin
    attempts.unlink(missing_ok=True)  # another process may have made the same row
    return made


def encoder_of(row: Row, p: Profile, seed: int, trained: Path) -> encoders.Encoder:
    """The row's encoder: read from the file that training left, or untrained."""
    encoder = (
        encoders.load(str(trained))
        if row.trained
        else encoders.build(p.encoder, p.width, p.crop, seed)
    )
    return encoder.to(p.device)


def _measure(row: Row, p: Profile, seed: int, trained: Path) -> dict[str, probe.ProbeResult]:
    """All measurements of a row."""
    test = datasets.load(p.data, "test", p.crop)
    labelled = datasets.load(p.data, "train", p.crop).first(p.per_class)
    if row.kind in ("raw_pixels", "mean_colours"):
        read = (
            probe.mean_colours
            if row.kind == "mean_colours"
            else lambda images: probe.raw_pixels(images, p.crop)
        )
        return {
            "linear": probe.linear(
                read(labelled.images),
                labelled.labels,
                read(test.images),
                test.labels,
                len(test.classes),
                seed,
            )
        }
    return probe.measure(encoder_of(row, p, seed, trained), labelled, test, seed)


def _result(m: probe.ProbeResult) -> dict[str, Any]:
    found = {**probe.summary(m), "correct": records.pack(m.correct.numpy())}
    return found if m.l2 is None else {**found, "l2": m.l2}


def filters(encoder: encoders.Encoder) -> dict[str, Any]:
    """First-layer weights as base64 float16 with their shape."""
    weight = encoder.first_layer.detach().cpu().numpy().astype(np.float16)
    return {"shape": list(weight.shape), "float16": base64.b64encode(weight.tobytes()).decode()}


def read_filters(found: dict[str, Any]) -> np.ndarray:
    """First-layer weights of a record, float32 (channels, 3, k, k)."""
    return (
        np.frombuffer(base64.b64decode(found["filters"]["float16"]), np.float16)
        .reshape(found["filters"]["shape"])
        .astype(np.float32)
    )


def peak_memory(device: str) -> int:
    """Most memory this process has used, in MB: of the device on a GPU, of the machine otherwise."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def provenance(described: dict[str, Any], p: Profile) -> dict[str, Any]:
    """Where and by what a record was made."""
    return {
        "commit": commit(),
        "code": records.code_of(described),
        "device": machine.device_name(p.device),
        "machine": machine.fingerprint(p.device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def commit(*folders: str) -> str:
    """The checkout's commit, with a plus sign when files in the library, or in ``folders`` too, differ from it; "unknown" outside git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=files.root(), capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + (
            "+" if git("status", "--porcelain", "--", "lib", *folders) else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def replay(row: Row, profile: Profile, seed: int, measure: bool = False) -> list[Comparison]:
    """Run the first steps of a recorded row again under the code at hand, and compare them.

    A trained row is replayed to the third point of its recorded curve, and with ``measure`` its kept encoder is measured again; an untrained one is run
    whole. On the record's kind of machine the numbers must be equal to the bit, elsewhere see :mod:`.comparison`. A start that agrees confirms the record.

    Raises: CheckpointError if ``measure`` is asked for and the encoder is gone.
    """
    found, p = records.read(path(row, profile, seed)), row.profile(profile)
    described = records.spec_of(found, specs(row, profile, seed))
    if described is None:
        return [CHANGED]
    prepare(profile)
    same = machine.same(found["provenance"], p.device)
    curve: list[float] = []
    if row.trained:
        source = source_of(row, profile, seed)
        images = stream.batches(source, p.n_images, p.image_size, seed, p.device, p.refresh)
        # Not where images are made anew anyway, nor where a pool that another machine has left is of other images.
        if not p.refresh and (same or comparison.follows(found["spec"]["source"])):
            probed = torch.arange(0, p.n_images, max(1, p.n_images // REPLAY_PICTURES))
            difference = (
                source.sample(probed, p.image_size, seed, p.device).int()
                - images.batch(0, probed).int()
            )
            most = int(difference.abs().max())
            if most > 1:  # on some processors a convolution's last bit depends on the batch
                return [
                    Comparison(
                        False,
                        "the kept pool up to one grey level",
                        f"images made again differ from it by {most}",
                        strict=True,
                    )
                ]
        method, labels = method_of(row, p, seed, source)
        last = found["curves"]["step"][:REPLAY_POINTS][-1]
        training = train.Training(images, method, p.augmenter(), p.optimisation(), seed, labels)
        curve = training.run(until=last).curves["loss"]
    top1 = _top1(row, p, seed, encoder_file(found["id"])) if measure or not row.trained else {}
    points, recorded = found["curves"].get("loss", [])[: len(curve)], _recorded(found, top1)
    if same:
        compared = [
            to_the_bit({"loss": curve, **top1}, {"loss": points, **recorded})
            if curve
            else to_the_bit(top1, recorded)
        ]
    else:
        compared = (
            [
                comparison.start(
                    curve, points, found["curves"]["step"][: len(curve)], found["spec"]["source"]
                )
            ]
            if curve
            else []
        )
        compared += [_elsewhere(row, found, top1)] if top1 else []
    _confirm(found, described, compared)
    return compared


def rerun(row: Row, profile: Profile, seed: int) -> list[Comparison]:
    """Run a recorded row whole under the code at hand, keeping nothing, and compare what it ends at.

    On the record's kind of machine top-1 must be equal, which confirms the record; elsewhere see :mod:`.comparison`.
    """
    found, p = records.read(path(row, profile, seed)), row.profile(profile)
    described = records.spec_of(found, specs(row, profile, seed))
    if described is None:
        return [CHANGED]
    prepare(profile)
    with tempfile.TemporaryDirectory() as folder:
        trained = Path(folder) / "encoder.safetensors"
        if row.trained:
            source = source_of(row, profile, seed)
            images = stream.batches(source, p.n_images, p.image_size, seed, p.device, p.refresh)
            method, labels = method_of(row, p, seed, source)
            train.Training(images, method, p.augmenter(), p.optimisation(), seed, labels).run()
            encoders.save(trained, method.encoder, {"record": found["id"]})
        top1 = _top1(row, p, seed, trained)
    same = machine.same(found["provenance"], p.device)
    compared = [to_the_bit(top1, _recorded(found, top1)) if same else _elsewhere(row, found, top1)]
    _confirm(found, described, compared)
    return compared


def _top1(row: Row, p: Profile, seed: int, trained: Path) -> dict[str, float]:
    """Top-1 of each measurement of a row, as a record has it."""
    return {name: round(m.top1, 6) for name, m in _measure(row, p, seed, trained).items()}


def _recorded(found: dict[str, Any], top1: dict[str, float]) -> dict[str, float]:
    return {name: found["results"][name]["top1"] for name in top1}


def _elsewhere(row: Row, found: dict[str, Any], top1: dict[str, float]) -> Comparison:
    """What a row ends at, against its record of another machine."""
    recorded = _recorded(found, top1)
    if not row.trained:
        return comparison.untrained(top1, recorded)
    tests = next(iter(found["results"].values()))["n"]
    return comparison.runs(
        top1, recorded, {name: inference.spread(found, name) for name in top1}, tests
    )


def _confirm(
    found: dict[str, Any], described: dict[str, Any], compared: Sequence[Comparison]
) -> None:
    """Note that the code at hand gives a record: not for agreement that another run would have reached too."""
    if all(c.agrees for c in compared) and any(c.strict for c in compared):
        records.confirm(found, records.code_of(described))


def estimate(row: Row, profile: Profile, unknown: float | None = None) -> float:
    """Seconds that one record of a row is likely to take: as long as its other seeds took, else the mean of the profile's records of its kind on this
    kind of device; ``unknown`` where there is none (None: some minutes of a core)."""
    kind = row.profile(profile).device.split(":")[0]
    found = [
        r
        for r in records.read_all(profile.name)
        if r["spec"].get("numerics", {"device": "cpu"})["device"] == kind
    ]
    mine = [r["cost"]["wall_seconds"] for r in found if r["row"] == row.name] or [
        r["cost"]["wall_seconds"] for r in found if r["spec"]["kind"] == row.kind
    ]
    if mine:
        return float(np.mean(mine))
    return unknown if unknown is not None else (360.0 if row.trained else 60.0)
