"""An experiment: a row under a profile's settings, with a seed. All that the study knows is one."""

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import checked, deadline, files
from ..core.augment import Augmentation
from ..core.errors import OutOfTime, ParameterError
from ..data import Source, source, stream
from ..data.image_set import ImageSet
from ..learn import encoders
from ..learn.encoders import Encoder
from ..learn.methods import METHODS
from ..learn.reference import Reference
from ..learn.train import Trained, Training
from ..measure.probe import ProbeResult, summary
from . import assembly, comparison, contracts, runs, store
from .comparison import Comparison, to_the_bit
from .profiles import Profile, Settings
from .provenance import now, peak_memory, provenance
from .records import Cost, Result, Run, Spec, pack
from .rows import Row, get_row
from .specs import describe

REFERENCE = "real"  # the row in whose encoder's features images are compared
REPLAY_POINTS = 3  # of the recorded curve, that a replay must meet
REPLAY_PICTURES = 50  # of a kept pool, that are made again


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A row, a profile and a seed: what its images are, how it trains, what its encoder is worth.

    It is the job of making its run (:class:`.store.Job`), and what further measurements are given
    (:class:`synthlearn.measure.base.Subject`).

    >>> from synthlearn import study
    >>> experiment = study.Experiment(study.get_row("noise-white"), study.resolve("smoke"), 0)
    >>> experiment.settings.method, experiment.title
    ('align_uniform', 'noise-white seed 0')
    """

    row: Row
    profile: Profile
    seed: int

    # ---- what it is ----

    @cached_property
    def settings(self) -> Settings:
        """The profile's settings, but for the row's own."""
        return self.row.settings(self.profile)

    @cached_property
    def spec(self) -> Spec:
        """All that decides its result."""
        pictures = self._source(self.needed.spec.id if self.needed else "")
        return describe(self.row, self.settings, self.seed, pictures)

    @property
    def id(self) -> str:
        """Digest of the spec."""
        return self.spec.id

    @property
    def needed(self) -> "Experiment | None":
        """The one whose trained encoder the source looks into."""
        if self.row.needs is None:
            return None
        return Experiment(get_row(self.row.needs), self.profile, self.seed)

    def beside(self, row: str) -> "Experiment":
        """Seed 0 of another row in the same profile. Raises: ParameterError for an unknown row."""
        return Experiment(get_row(row), self.profile, 0)

    @property
    def pool_seed(self) -> int:
        """Seed of its images."""
        return 0 if self.row.pool == "shared" else self.seed

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.row.name} seed {self.seed}"

    def _source(self, encoder: str) -> Source | None:
        """The row's source; ``encoder``: what stands for the encoder that it needs."""
        if not self.row.trained:
            return None
        options = self.row.source_options(self.settings) | ({"encoder": encoder} if encoder else {})
        return source(self.row.source_name, **options)

    # ---- its parts ----

    def source(self) -> Source:
        """The source of its images, with what that needs at hand: an encoder or a model is
        trained where it is not kept.

        Raises: ParameterError for a row that has none.
        """
        needed = self.needed
        pictures = self._source(str(needed.trained_encoder()) if needed else "")
        if pictures is None:
            raise ParameterError(f"row {self.row.name}: has no images to train on")
        pictures.prepare(self.settings.device)
        if METHODS[self.settings.method].labelled and self.row.classes == "own":
            checked.check_labels(pictures, self.settings.n_images)
        return pictures

    def training(self, keep: bool = True) -> Training:
        """Its training; ``keep``: a fixed pool of images goes to disk."""
        pictures = self.source()
        images = assembly.batches(pictures, self.settings, self.pool_seed, keep)
        return contracts.training(self.row, self.settings, self.seed, pictures, images)

    def encoder(self) -> Encoder | None:
        """Its encoder, trained where it has to be; None for baselines without one."""
        if self.row.trained:
            return self._kept(self.trained_encoder())
        if self.row.baseline == "reference":
            return Reference().to(self.settings.device)
        return assembly.untrained(self.settings, self.seed) if self.row.has_encoder else None

    def _kept(self, path: Path) -> Encoder:
        return encoders.load(str(path)).to(self.settings.device)

    def reference(self) -> Encoder:
        """The encoder in whose features images are compared: that of real images, seed 0."""
        real = self.beside(REFERENCE)
        return real._kept(real.trained_encoder())

    def reference_id(self) -> str:
        """Id of the reference encoder's record."""
        return self.beside(REFERENCE).id

    def probe_data(self) -> tuple[ImageSet, ImageSet]:
        """Images that the probe learns from, and that it is tested on."""
        return assembly.probe_data(self.settings)

    def pictures(self, n: int) -> Tensor:
        """The first ``n`` images that it trains on: uint8 (n, 3, s, s)."""
        s = self.settings
        return stream.pool(self.source(), s.n_images, s.image_size, self.pool_seed, s.device)[:n]

    def source_spec(self) -> Mapping[str, Any]:
        """What decides its images; empty for a row that has none."""
        content: Mapping[str, Any] = self.spec.content.get("source", {})
        return content

    def views(self) -> Augmentation:
        """The views that it trains on."""
        return self.settings.views()

    # ---- what is kept of it ----

    @property
    def encoder_file(self) -> Path:
        """Where its trained encoder is kept, for chapters and sources that look into it."""
        return files.runs() / "encoders" / f"{self.id[:24]}.safetensors"

    @property
    def checkpoint(self) -> Path:
        """Where its training keeps what it needs to go on."""
        return files.runs() / "checkpoints" / f"{self.id[:24]}.safetensors"

    def trained_encoder(self) -> Path:
        """The file of its trained encoder: the one that is kept for its spec, else it is run, or
        trained again where its record is there.

        Training again gives the same encoder on the same kind of machine. Whether a kept one's
        record is stale is for ``status`` to say.
        """
        if not self.encoder_file.exists():
            store.get(self)
        if not self.encoder_file.exists():
            self._train()
            # not before: a full disk must not cost the training
            self.checkpoint.unlink(missing_ok=True)
        return self.encoder_file

    def _train(self) -> tuple[Training, Trained, float]:
        """Train its encoder and keep it: the training, its outcome, seconds for its images."""
        pictures, began = self.source(), time.perf_counter()
        with checked.painting(pictures):
            images = assembly.batches(pictures, self.settings, self.pool_seed)
        seconds = time.perf_counter() - began
        training = contracts.training(self.row, self.settings, self.seed, pictures, images)
        trained = contracts.train(training, self.checkpoint, self.id)
        encoders.save(self.encoder_file, training.method.encoder, {"record": self.id})
        return training, trained, seconds

    # ---- the job of making its run ----

    kind = Run

    @property
    def path(self) -> Path:
        """The record's file."""
        return store.folder(self.profile, Run) / f"{self.row.name}-s{self.seed}.json"

    def specs(self) -> Iterator[Spec]:
        """Its spec on the profile's device, then on the other kind: either record is its own."""
        for profile in self.profile.on_each_device():
            yield dataclasses.replace(self, profile=profile).spec

    def make(self) -> Run:
        """Train it, if it is trained, and probe it.

        Raises: what the source, the training or the probe raises; OutOfTime where the deadline
        passes between training and probing. A checkpoint lets the next call go on.
        """
        if needed := self.needed:  # before the clock starts: it is another row
            needed.trained_encoder()
        origin = provenance(self.spec, self.settings.device)
        began, processor = time.perf_counter(), time.process_time()
        if self.settings.device.startswith("cuda"):  # of the row before, in the same process
            torch.cuda.reset_peak_memory_stats(self.settings.device)
        attempts = files.runs() / "attempts" / self.id[:24]
        failed = attempts.read_bytes().count(b"\n") if attempts.is_file() else 0
        files.append_line(attempts, now())
        curves, cost = self._trained_cost() if self.row.trained else ({}, Cost(0.0))
        encoder = self._kept(self.encoder_file) if self.row.trained else self.encoder()
        started = time.perf_counter()
        results = {name: _result(m) for name, m in self.probes(encoder).items()}
        cost = dataclasses.replace(
            cost,
            wall_seconds=round(time.perf_counter() - began, 1),
            cpu_seconds=round(time.process_time() - processor, 1),
            probe_seconds=round(time.perf_counter() - started, 1),
            peak_mb=peak_memory(self.settings.device),
            failed_tries=failed,
        )
        attempts.unlink(missing_ok=True)  # another process may have made the same row
        filters = None if encoder is None else _filters(encoder)
        name = self.settings.name
        return Run(self.row.name, name, self.spec, cost, origin, results, curves, filters)

    def _trained_cost(self) -> tuple[dict[str, list[float]], Cost]:
        training, trained, pool_seconds = self._train()
        if deadline.passed():
            waits = f"{self.title} is trained and waits for its measurement"
            raise OutOfTime(f"the time is over: {waits}; the next call goes on there")
        return trained.curves, Cost(
            0.0,
            images=self.settings.n_images,
            pool_seconds=round(pool_seconds, 1),
            train_seconds=round(trained.seconds, 1),
            resumed=trained.resumed,
            views=training.views_seen(),
        )

    def probes(self, encoder: Encoder | None) -> dict[str, ProbeResult]:
        """All probes by name."""
        data = self.probe_data()
        return assembly.probes(self.row, self.settings.crop, self.seed, encoder, data)

    def settle(self, record: Run) -> None:
        """Remove the checkpoint: what was trained must not be lost to the measurement."""
        self.checkpoint.unlink(missing_ok=True)

    def seconds(self) -> float | None:
        """As long as its row's other seeds took, else the mean of the profile's records of its kind
        on this kind of device; None without any."""
        device = self.settings.device.split(":")[0]
        every = [r for r in store.committed(Run, self.profile.name) if r.spec.device == device]
        own = [r for r in every if r.row == self.row.name]
        alike = own or [r for r in every if r.spec.kind == self.row.kind]
        return float(np.mean([r.cost.wall_seconds for r in alike])) if alike else None

    # ---- whether its record still holds ----

    def again(self, record: Run, whole: bool) -> Comparison:
        """A trained one is followed to the third point of its recorded curve, an untrained one run
        whole; with ``whole``, trained to its end, keeping nothing, and probed."""
        if whole or not self.row.trained:
            return self._compared(record, self._ends_at())
        training = self.training()
        if difference := self._pool_differs(record, training):
            return difference
        steps = [int(step) for step in record.curves["step"][:REPLAY_POINTS]]
        loss = training.run(until=steps[-1]).curves["loss"]
        points = record.curves["loss"][: len(loss)]
        if store.is_same_machine(record, self.settings.device):
            return to_the_bit({"loss": loss}, {"loss": points})
        recipe = record.spec.source
        assert recipe is not None
        return comparison.start(loss, points, steps[: len(loss)], recipe)

    def _ends_at(self) -> dict[str, float]:
        """Top-1 by probe of a run from its beginning to its end, of which nothing is kept."""
        if not self.row.trained:
            return self._top1(self.encoder())
        training = self.training()
        training.run()
        with tempfile.TemporaryDirectory() as folder:  # as it would be read
            path = Path(folder) / "encoder.safetensors"
            encoders.save(path, training.method.encoder, {"record": self.id})
            return self._top1(self._kept(path))

    def _top1(self, encoder: Encoder | None) -> dict[str, float]:
        return {name: round(m.top1, 6) for name, m in self.probes(encoder).items()}

    def _pool_differs(self, record: Run, training: Training) -> Comparison | None:
        """Of a kept pool a few images are made again: not where images are made anew anyway, nor
        where a pool that another machine has left is of other images."""
        recipe, s = record.spec.source, self.settings
        assert recipe is not None
        same = store.is_same_machine(record, s.device) or comparison.follows(recipe)
        if s.refresh or not same:
            return None
        some = torch.arange(0, s.n_images, max(1, s.n_images // REPLAY_PICTURES))
        made = self.source().sample(some, s.image_size, self.pool_seed, s.device).int()
        kept = assembly.pictures_of(training, 0, some).int()
        most = int((made - kept).abs().max())
        if most <= 1:  # on some processors a convolution's last bit depends on the batch
            return None
        asked = "the kept pool up to one grey level"
        differs = f"images made again differ from it by {most}"
        return Comparison(False, asked, differs, strict=True)

    def _compared(self, record: Run, top1: dict[str, float]) -> Comparison:
        """What it ends at, against its record."""
        recorded = {name: record.results[name].top1 for name in top1}
        if store.is_same_machine(record, self.settings.device):
            return to_the_bit(top1, recorded)
        if not self.row.trained:
            return comparison.untrained(top1, recorded)
        spreads = {name: runs.spread(record, name) for name in top1}
        return comparison.runs(top1, recorded, spreads)


def _result(measured: ProbeResult) -> Result:
    correct = pack(measured.correct.numpy())
    return Result(**summary(measured), correct=correct, l2=measured.l2)


def _filters(encoder: Encoder) -> np.ndarray:
    return encoder.first_layer.detach().cpu().numpy().astype(np.float16)
