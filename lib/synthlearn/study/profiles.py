"""Profiles: all settings of a run that are the same for every source of images."""

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
from ..learn.optimisation import Optimisation

NAMES = ("smoke", "cpu", "gpu", "paper")
DEVICES = ("cpu", "cuda")
# field → (least, largest) of numbers
BOUNDS: dict[str, tuple[float, float]] = {
    "n_images": (2, 10_000_000), "image_size": (32, 1024), "crop": (32, 512), "scale_min": (0.01, 1), "jitter": (0, 1), "hue": (0, 0.5), "jitter_p": (0, 1),
    "width": (1 / 32, 4), "epochs": (1, 100_000), "batch_size": (2, 100_000), "lr": (1e-9, 100), "weight_decay": (0, 1), "per_class": (0, 10_000_000),
    "refresh": (0, 1), "downsample": (0, 1), "seeds": (1, 1000), "threads": (1, 1024),
}  # fmt: skip
CHOICES = {
    "schedule": ("onecycle", "step"),
    "precision": ("fp32", "bf16", AUTO),
    "augmentation": ("exact", "linear"),
    "method": tuple(METHODS),
    "encoder": TRAINABLE,
    "optimiser": ("sgd", "adamw"),
    "last_batch": ("kept", "waits"),
}


@dataclasses.dataclass(frozen=True)
class Profile:
    """Settings of a run. Fields:

    n_images, image_size: pictures to pre-train on and their side in pixels. crop: side of a view; scale_min: least area of a crop.
    jitter, hue, jitter_p, augmentation, downsample (a probability): see :class:`synthlearn.core.augment.Augmentation`. method: see :mod:`synthlearn.learn.methods`.
    encoder: SmallAlexNet, resnet18, resnet50 or vit; width: of the SmallAlexNet.
    epochs, batch_size, lr (per 256 images), schedule, weight_decay, precision, optimiser, last_batch: see :class:`synthlearn.learn.optimisation.Optimisation`.
    refresh: share of the pictures that is new in every epoch, 0: a fixed pool, 1: a stream that never repeats.
    data, per_class: real set of the probe, and how many of its training images of each class (0: all).
    seeds: how many; threads: of one run on a CPU; device: "auto", "cpu", "cuda" ….
    """

    name: str
    n_images: int
    image_size: int
    crop: int
    width: float
    epochs: int
    batch_size: int
    data: str
    seeds: int
    method: str = "align_uniform"
    encoder: str = SMALL_ALEXNET
    scale_min: float = 0.2
    jitter: float = 0.4
    hue: float = 0.4
    jitter_p: float = 1.0
    augmentation: str = "exact"
    lr: float = 0.12
    schedule: str = "onecycle"
    weight_decay: float = 1e-4
    precision: str = "fp32"
    optimiser: str = "sgd"
    last_batch: str = "kept"
    downsample: float = 0.0
    per_class: int = 0
    refresh: float = 0.0
    threads: int = 1
    device: str = "cpu"

    def augmenter(self) -> Augmentation:
        """The views of this profile."""
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
        """The optimiser's settings of this profile."""
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


FIELDS: dict[str, Any] = {f.name: f.type for f in dataclasses.fields(Profile) if f.name != "name"}


def check(name: str, value: Any) -> Any:
    """A profile field's value in its own type. Raises ParameterError naming field, value and what is allowed."""
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ParameterError(
            f"unknown parameter {shown(name)} (= {shown(value)}): {hint}allowed are profile, {', '.join(FIELDS)}"
        )
    kind = FIELDS[name]
    if not isinstance(value, int | float if kind is float else kind) or isinstance(value, bool):
        words = {int: "a whole number", float: "a number", str: "a word"}[kind]
        raise ParameterError(
            f"{name} = {shown(value)}: must be {words}, not {type(value).__name__}"
        )
    if name in BOUNDS:
        least, largest = BOUNDS[name]
        if not least <= value <= largest:
            raise ParameterError(
                f"{name} = {shown(value)}: must lie between {least:,} and {largest:,}"
            )
    if name in CHOICES and value not in CHOICES[name]:
        raise ParameterError(f"{name} = {shown(value)}: must be one of {', '.join(CHOICES[name])}")
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
    table = tomllib.loads((resources.files(__package__) / "profiles.toml").read_text("utf-8"))[name]
    return Profile(name=name, **{field: check(field, value) for field, value in table.items()})


def resolve(name: str = "smoke", /, **overrides: Any) -> Profile:
    """A profile by name, some of its fields replaced; everything is checked but whether the probe's
    data set is here, which pre-training does not need. A device or precision of "auto" becomes the
    one that is meant, so that a record says which it was.

    Raises: ParameterError for an unknown profile, field, value or device.
    """
    profile = dataclasses.replace(
        defaults(name), **{field: check(field, value) for field, value in overrides.items()}
    )
    if profile.crop > profile.image_size:
        raise ParameterError(
            f"crop = {profile.crop}: larger than the images (image_size = {profile.image_size}); lower crop or raise image_size"
        )
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


def is_study(profile: Profile) -> bool:
    """True if the profile is one of the study's own, nothing overridden but the device: its records are committed."""
    return profile.name != "smoke" and dataclasses.replace(
        profile, device=defaults(profile.name).device
    ) == defaults(profile.name)


def anywhere(profile: Profile) -> tuple[Profile, ...]:
    """The profile on each kind of device, its own first. A device changes rounding, not the experiment; a record says which it was."""
    kind = profile.device.split(":")[0]
    return (
        profile,
        *(dataclasses.replace(profile, device=other) for other in DEVICES if other != kind),
    )
