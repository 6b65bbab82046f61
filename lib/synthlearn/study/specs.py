"""What decides the result of a row and seed, as JSON: its digest is the record's id."""

from typing import Any

from ..core import checked
from ..core.image import MEAN, STD
from ..data import Source, datasets
from ..learn import encoders, methods, reference
from .profiles import Settings
from .records import Spec
from .rows import Row

MEASUREMENT = {"resize": "70/64", "probe": "lbfgs-l2-held-out-20%", "knn": 20}
# Options that came later than most records, with what was meant before: such a value is left out of
# a spec, so that older records keep their ids. table, field → value.
LATER: dict[tuple[str, str], Any] = {
    ("optimisation", "optimiser"): "sgd",
    ("optimisation", "last_batch"): "kept",
    ("augmentation", "downsample_p"): 0.0,
    ("method", "uniform_weight"): 1.0,
    ("method", "classes"): "own",
    ("source", "refresh"): 0.0,
    ("source", "pool"): "own",
}


def describe(row: Row, settings: Settings, seed: int, source: Source | None) -> Spec:
    """The spec of a row; ``source`` of a trained one, made with the record of the encoder it needs.

    Raises: DataError where the probe's data are not here.
    """
    train, test = (
        datasets.digest(settings.data, split, settings.crop) for split in datasets.SPLITS
    )
    content: dict[str, Any] = {
        "kind": row.kind,
        "data": {
            "name": settings.data,
            "per_class": settings.per_class,
            "train_sha256": train,
            "test_sha256": test,
        },
        "measurement": {**MEASUREMENT, "size": settings.crop},
        "seed": seed,
    }
    if row.baseline == "reference":
        content["encoder"] = reference.spec()
    elif row.has_encoder:
        encoder = encoders.describe(settings.encoder, settings.width, settings.crop)
        content["encoder"] = encoder
    if source is not None:
        content["source"] = {
            **checked.spec_of(source),
            "n_images": settings.n_images,
            "image_size": settings.image_size,
            "refresh": settings.refresh,
            "pool": row.pool,
        }
        method = methods.spec(settings.method, dict(row.method_options))
        content["method"] = {**method, "classes": row.classes}
        content["augmentation"] = settings.views().spec()
        content["optimisation"] = settings.optimisation().spec()
        content["normalisation"] = MEAN + STD
        kind = settings.device.split(":")[0]
        content["numerics"] = {"device": kind, "threads": settings.threads}
    return Spec(without_later(content))


def without_later(content: dict[str, Any]) -> dict[str, Any]:
    """A spec's content without the values of :data:`LATER`."""
    return {
        name: {k: v for k, v in value.items() if LATER.get((name, k), _NONE) != v}
        if isinstance(value, dict)
        else value
        for name, value in content.items()
    }


_NONE = object()
