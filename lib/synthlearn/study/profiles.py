"""Profiles: all settings of a run that are the same for every source of images.

A profile is what ``profiles.toml`` and a caller's own values say; :class:`Settings` is what one row
makes of it. They have the same fields and are two types, so that neither passes for the other.
"""

import dataclasses
import difflib
import tomllib
from functools import cache
from importlib import resources
from typing import Any

from ..core import machine
from ..core.augment import Augmentation
from ..core.errors import ParameterError
from ..core.options import AUTO, shown, the_device
from ..data import datasets
from ..learn.encoders import SMALL_ALEXNET, TRAINABLE
from ..learn.methods import METHODS
from ..learn.train import Optimisation

NAMES = ("smoke", "cpu", "gpu", "paper")
DEVICES = ("cpu", "cuda")


def _setting(text: str, default: Any = dataclasses.MISSING, **allowed: Any) -> Any:
    """A field: what it is, and either ``bounds`` (least, largest) or ``choices``."""
    return dataclasses.field(default=default, metadata={"text": text, **allowed})


@dataclasses.dataclass(frozen=True)
class _Fields:
    """Settings of a run; :func:`meaning` says what each is."""

    name: str
    n_images: int = _setting("images to pre-train on", bounds=(2, 10_000_000))
    image_size: int = _setting("their side in pixels", bounds=(32, 1024))
    crop: int = _setting("side of a view in pixels, the encoder's input", bounds=(32, 512))
    width: float = _setting("of SmallAlexNet; 1 is the paper's", bounds=(1 / 32, 4))
    epochs: int = _setting("passes over the images", bounds=(1, 100_000))
    batch_size: int = _setting("images of a step", bounds=(2, 100_000))
    data: str = _setting("real set of the probe, by name or as a folder")
    seeds: int = _setting("runs of a row", bounds=(1, 1000))
    method: str = _setting("how to learn, see below", "align_uniform", choices=tuple(METHODS))
    encoder: str = _setting("what learns, see below", SMALL_ALEXNET, choices=TRAINABLE)
    scale_min: float = _setting("least area of a crop, share of the image", 0.2, bounds=(0.01, 1))
    jitter: float = _setting(
        "strength of the change of brightness, contrast, saturation", 0.4, bounds=(0, 1)
    )
    hue: float = _setting("strength of the change of hue", 0.4, bounds=(0, 0.5))
    jitter_p: float = _setting("probability of these changes", 1.0, bounds=(0, 1))
    augmentation: str = _setting(
        "colour changes one by one, or composed to one map", "exact", choices=("exact", "linear")
    )
    lr: float = _setting("learning rate for 256 images of a batch", 0.12, bounds=(1e-9, 100))
    schedule: str = _setting("of the learning rate", "onecycle", choices=("onecycle", "step"))
    weight_decay: float = _setting("of the optimiser", 1e-4, bounds=(0, 1))
    precision: str = _setting(
        "of the network; auto: bf16 where it is the faster one",
        "fp32",
        choices=("fp32", "bf16", AUTO),
    )
    optimiser: str = _setting("that takes the steps", "sgd", choices=("sgd", "adamw"))
    last_batch: str = _setting(
        "of an epoch, smaller than the others: kept, or its images wait for another epoch",
        "kept",
        choices=("kept", "waits"),
    )
    downsample: float = _setting("probability that a view is made coarser", 0.0, bounds=(0, 1))
    per_class: int = _setting(
        "training images of the probe, of each class; 0: all", 0, bounds=(0, 10_000_000)
    )
    refresh: float = _setting(
        "share of the images that is new in each epoch; 1: none comes twice", 0.0, bounds=(0, 1)
    )
    threads: int = _setting("of one run on a CPU", 1, bounds=(1, 1024))
    device: str = _setting("auto, cpu, cuda or cuda:N", "cpu")

    def views(self) -> Augmentation:
        """The views that training takes of an image."""
        return Augmentation(
            self.crop,
            self.scale_min,
            self.jitter,
            self.hue,
            self.jitter_p,
            variant=self.augmentation,
            downsample_p=self.downsample,
        )

    def optimisation(self) -> Optimisation:
        """The optimiser's settings."""
        return Optimisation(
            self.epochs,
            self.batch_size,
            self.lr,
            self.schedule,
            self.weight_decay,
            self.precision,
            self.optimiser,
            self.last_batch,
        )


@dataclasses.dataclass(frozen=True)
class Profile(_Fields):
    """Settings by the name of a profile, before a row has its say."""

    @property
    def is_study(self) -> bool:
        """Whether it is one of the study's own, nothing replaced but the device: its records are
        committed."""
        usual = defaults(self.name)
        return self.name != "smoke" and dataclasses.replace(self, device=usual.device) == usual

    def on_each_device(self) -> "tuple[Profile, ...]":
        """The profile on each kind of device, its own first. A device changes rounding, not the
        experiment; a record says which it was."""
        kind = self.device.split(":")[0]
        others = (dataclasses.replace(self, device=other) for other in DEVICES if other != kind)
        return (self, *others)


@dataclasses.dataclass(frozen=True)
class Settings(_Fields):
    """Settings of one row in a profile: the profile's, but for the row's own."""


FIELDS = {f.name: f for f in dataclasses.fields(_Fields) if f.name != "name"}
WORDS = {int: "a whole number", float: "a number", str: "a word"}


def meaning(field: str) -> str:
    """What a field is and what it may be, in a line. Empty for what is no field."""
    if field not in FIELDS:
        return ""
    of = FIELDS[field].metadata
    if "bounds" in of:
        low, high = (f"{b:,.10g}" if b >= 1 else f"{b:g}" for b in of["bounds"])
        return f"{of['text']} ({low} … {high})"
    return f"{of['text']} ({' | '.join(of['choices'])})" if "choices" in of else of["text"]


def check(name: str, value: Any) -> Any:
    """A field's value in its own type.

    Raises: ParameterError naming field, value and what is allowed.
    """
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        unknown = f"unknown parameter {shown(name)} (= {shown(value)})"
        raise ParameterError(f"{unknown}: {hint}allowed are profile, {', '.join(FIELDS)}")
    kind: Any = FIELDS[name].type
    given = f"{name} = {shown(value)}"
    if not isinstance(value, int | float if kind is float else kind) or isinstance(value, bool):
        raise ParameterError(f"{given}: must be {WORDS[kind]}, not {type(value).__name__}")
    allowed = FIELDS[name].metadata
    if "bounds" in allowed:
        least, largest = allowed["bounds"]
        if not least <= value <= largest:
            raise ParameterError(f"{given}: must lie between {least:,} and {largest:,}")
    if "choices" in allowed and value not in allowed["choices"]:
        raise ParameterError(f"{given}: must be one of {', '.join(allowed['choices'])}")
    if value == "":
        raise ParameterError(f"{name} = '': must not be empty")
    return kind(value)


def defaults(name: str) -> Profile:
    """A profile as written. Raises ParameterError for an unknown one."""
    if name not in NAMES:
        raise ParameterError(f"profile = {shown(name)}: must be one of {', '.join(NAMES)}")
    return _written(name)


@cache
def _written(name: str) -> Profile:
    text = (resources.files(__package__) / "profiles.toml").read_text("utf-8")
    table = tomllib.loads(text)[name]
    return Profile(name=name, **{field: check(field, value) for field, value in table.items()})


def resolve(name: str = "smoke", /, **overrides: Any) -> Profile:
    """A profile by name, some of its fields replaced; everything is checked but whether the probe's
    data set is here, which pre-training does not need. A device or precision of "auto" becomes the
    one that is meant, so that a record says which it was.

    Raises: ParameterError for an unknown profile, field, value or device.
    """
    own = {field: check(field, value) for field, value in overrides.items()}
    profile = dataclasses.replace(defaults(name), **own)
    if profile.crop > profile.image_size:
        larger = f"larger than the images (image_size = {profile.image_size})"
        raise ParameterError(f"crop = {profile.crop}: {larger}; lower crop or raise image_size")
    profile = dataclasses.replace(profile, device=the_device(profile.device))
    if profile.precision == AUTO:
        pays = machine.half_precision_pays(profile.device)
        profile = dataclasses.replace(profile, precision="bf16" if pays else "fp32")
    return profile


def with_data(name: str = "smoke", /, **overrides: Any) -> Profile:
    """As :func:`resolve`, for what probes: the data set must be here.

    Raises: as :func:`resolve`; DataError when the data set is not here.
    """
    profile = resolve(name, **overrides)
    datasets.locate(profile.data)
    return profile
