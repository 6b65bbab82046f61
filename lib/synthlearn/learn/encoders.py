"""Encoders by name: untrained ones, files of trained ones, timm's models.

The networks themselves are in :mod:`synthlearn.learn.networks`, whose names are offered here too.
"""

import importlib
import inspect
import math
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..core import files
from ..core.errors import CheckpointError, ParameterError
from .networks import (
    CHANNELS,
    OUTPUT,
    SIDES,
    SMALL_ALEXNET,
    TRAINABLE,
    VIT,
    Encoder,
    ResNet,
    SmallAlexNet,
    ViT,
    check_side,
    require_timm,
    resnet_trunk,
)
from .weights import check_finite, is_safetensors, read_state, restore

__all__ = [
    "OUTPUT",
    "SIDES",
    "SMALL_ALEXNET",
    "TRAINABLE",
    "Encoder",
    "ResNet",
    "SmallAlexNet",
    "Timm",
    "ViT",
    "build",
    "check_side",
    "describe",
    "identity",
    "load",
    "parameters",
    "resnet_trunk",
    "save",
]
TORCH_FILES = (".pt", ".pth")  # how names of the authors' released encoders end


def build(name: str, width: float, input_size: int, seed: int) -> SmallAlexNet | ResNet | ViT:
    """An untrained encoder.

    Args:
        name: "SmallAlexNet", "resnet18", "resnet50" or "vit".
        width: of the SmallAlexNet; the others have none.
        input_size: side of the input in pixels.
        seed: of the initial weights.

    Raises: ParameterError for an unknown name or a size that cannot be built.

    >>> build("SmallAlexNet", width=1 / 16, input_size=32, seed=0).options
    {'width': 0.0625, 'input_size': 32}
    """
    if name == SMALL_ALEXNET:
        return SmallAlexNet(width, input_size, seed)
    return ViT(input_size, seed) if name == VIT else ResNet(name, input_size, seed)


def describe(name: str, width: float, input_size: int) -> dict[str, Any]:
    """An encoder for a record: its name and what decides its shape.

    >>> describe("resnet18", width=1, input_size=64)
    {'name': 'resnet18', 'input_size': 64}
    """
    size = {"input_size": input_size}
    return {"name": name, **({"width": width} if name == SMALL_ALEXNET else {}), **size}


def parameters(encoder: nn.Module) -> int:
    """Number of trained parameters.

    >>> parameters(SmallAlexNet(width=1 / 16, input_size=32))
    138438
    """
    return sum(math.prod(p.shape) for p in encoder.parameters())


def save(path: Path, encoder: Encoder, header: dict[str, Any]) -> None:
    """Write an encoder as safetensors with a JSON header.

    Args:
        header: what trained it; kind, options and input normalisation of the encoder are added.

    >>> import tempfile
    >>> encoder = build("SmallAlexNet", width=1 / 16, input_size=32, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "encoder.safetensors")
    ...     save(path, encoder, {"record": "none: untrained"})
    ...     load(str(path)).options
    {'width': 0.0625, 'input_size': 32}
    """
    described = {
        "encoder": type(encoder).__name__,
        "options": encoder.options,
        "normalisation": encoder.normalisation,
        **header,
    }
    files.save_tensors(path, encoder.state_dict(), described)


def load(name: str, width: float = 0.25, input_size: int = 32, seed: int = 0) -> Encoder:
    """An encoder by name, in eval mode.

    Args:
        name: a file written by ``pretrain``, a ``.pt`` or ``.pth`` file of the authors' released
            SmallAlexNets, "random" (SmallAlexNet of ``width``, ``input_size`` and ``seed``), or
            "timm:NAME[@FILE]".

    A file's own input normalisation is taken. What is not finite is refused.

    Raises: CheckpointError if the file is missing, damaged, foreign, or does not fit its own
    header; ParameterError for an unknown model, an impossible width or size, or the wrong way to
    name a file.

    >>> load("random", width=1 / 16).embedding_size
    256
    """
    if name == "random":
        return SmallAlexNet(width, input_size, seed).eval()
    if name.startswith("timm:"):
        model, at, weights = name.removeprefix("timm:").partition("@")
        if at and not weights:
            raise ParameterError(f"encoder {name}: names no file; give timm:{model}@FILE, or no @")
        return Timm(model, Path(weights) if at else None).eval()
    if name.endswith(TORCH_FILES):
        return _released(Path(name)).eval()
    tensors, header = files.load_tensors(Path(name))
    encoder = _from_header(header, name)
    restore(encoder, tensors, name)
    return encoder.eval()


def identity(path: Path) -> str:
    """What an encoder's file holds, wherever it lies: the id of the record that it was trained for,
    else SHA-256 of the file. Raises CheckpointError for a file that is damaged or not ours.

    >>> import tempfile
    >>> encoder = build("SmallAlexNet", width=1 / 16, input_size=32, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "encoder.safetensors")
    ...     save(path, encoder, {"record": "a record's id"})
    ...     identity(path)
    "a record's id"
    """
    if path.suffix not in TORCH_FILES:
        record = files.load_tensors(path)[1].get("record")
        if isinstance(record, str):
            return record
    return files.sha256(path)


def _from_header(header: dict[str, Any], path: str) -> SmallAlexNet | ResNet | ViT:
    """The encoder that a file's header describes, its weights untrained. Raises CheckpointError."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (SmallAlexNet, ResNet, ViT)}
    name, options = header.get("encoder"), header.get("options")
    if not isinstance(name, str) or name not in kinds:
        raise CheckpointError(
            f"{path}: holds no encoder (its header says {str(name)[:80]!r}); "
            "make one with `python -m synthlearn pretrain`"
        )
    known = inspect.signature(kinds[name]).parameters.keys() - {"seed"}
    if not isinstance(options, dict) or options.keys() != known:
        given = ", ".join(map(str, options)) if isinstance(options, dict) else repr(options)[:80]
        raise CheckpointError(
            f"{path}: its header's options ({given[:200]}) are not those of a {name} "
            f"({', '.join(sorted(known))}); if a newer version wrote it, update synthlearn"
        )
    try:
        encoder: SmallAlexNet | ResNet | ViT = kinds[name](**options)
    except ParameterError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if "normalisation" in header:
        encoder.normalisation = _normalisation(header["normalisation"], path)
    return encoder


def _normalisation(value: Any, path: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of a header, three finite numbers each.

    Raises: CheckpointError.
    """

    def three(values: Any, above: float) -> bool:
        good = isinstance(values, list) and len(values) == 3
        return good and all(isinstance(v, int | float) and above < v < 1e6 for v in values)

    if isinstance(value, list) and len(value) == 2 and three(value[0], -1e6) and three(value[1], 0):
        return tuple(value[0]), tuple(value[1])
    raise CheckpointError(
        f"{path}: normalisation = {str(value)[:80]}: must be the mean of three channels and their "
        "standard deviation, above 0; make the file again"
    )


def _released(path: Path) -> SmallAlexNet:
    """The authors' SmallAlexNet from its state dict, read without running any code of the file.

    Their blocks are ours, in the same order under other names; width and input size follow from the
    shapes. Raises CheckpointError; ParameterError for a file of ``pretrain`` under such a name.
    """
    remedy = "give the .pth file of a released encoder"
    renamed = path.with_suffix(".safetensors").name
    tensors = list(read_state(path, f"rename it to {renamed}").values())
    if is_safetensors(path):  # which has no order of tensors
        raise CheckpointError(f"{path}: is safetensors; {remedy}")
    try:
        width = len(tensors[0]) / CHANNELS[0]
        last = next(i for i, t in enumerate(tensors) if t.ndim == 2)
        side = math.isqrt(tensors[last].shape[1] // round(CHANNELS[-1] * width))
        encoder = SmallAlexNet(width, 8 * side + 8)  # three times (s − 3)//2 + 1
    except (StopIteration, TypeError, ZeroDivisionError, ParameterError) as error:
        raise CheckpointError(
            f"{path}: not a SmallAlexNet (five convolutions and three linear layers); {remedy}"
        ) from error
    names = list(encoder.state_dict())
    if len(names) != len(tensors):
        raise CheckpointError(
            f"{path}: has {len(tensors)} tensors, a SmallAlexNet {len(names)}; {remedy}"
        )
    restore(encoder, dict(zip(names, tensors, strict=True)), path)
    return encoder


class Timm(Encoder):
    """A timm model without its classifier, behind the same interface; its one tap is ``pooled``.

    Args:
        name: as timm knows it, with or without a tag.
        weights: an ordinary file of the model, safetensors or torch's own, with its classifier or
            without; None: those of the hub.

    ``options`` name weights of the hub: repository, tag and revision.
    Raises: ParameterError for an unknown model or no timm; CheckpointError for weights that are not
    there, damaged, of another model or not finite.
    """

    def __init__(self, name: str, weights: Path | None = None) -> None:
        super().__init__()
        encoder = f"encoder timm:{name}"  # in messages
        timm = require_timm(f"timm:{name}")
        if not timm.is_model(name):
            raise ParameterError(f"{encoder}: timm has no such model; see timm.list_models()")
        # before the model, which may be large
        tensors = None if weights is None else read_state(weights, "give it without timm:")
        try:
            self.trunk = timm.create_model(name, pretrained=weights is None, num_classes=0)
        except Exception as error:  # timm passes on whatever its hub client or file reader raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            if weights is not None:
                raise CheckpointError(f"{encoder}: timm cannot make it ({reason})") from error
            raise CheckpointError(
                f"{encoder}: no weights ({reason}); give a file, timm:{name}@FILE.safetensors"
            ) from error
        config = self.trunk.pretrained_cfg
        self.normalisation = (config["mean"], config["std"])
        self.options = {"timm": name, "input_size": config["input_size"][-1]}
        if weights is None or tensors is None:
            self.options["hub"] = _hub(config)
            check_finite(self.trunk, encoder)
        else:
            restore(self.trunk, _without_classifier(self.trunk, tensors), weights)


def _hub(config: dict[str, Any]) -> dict[str, Any]:
    """Which weights a timm model has loaded: repository, tag, and the commit of the hub's cache."""
    repository, _, revision = config.get("hf_hub_id", "").partition("@")
    if not repository:
        return {"url": config.get("url"), "tag": config.get("tag")}
    hub = importlib.import_module("huggingface_hub")  # comes with timm
    own = config.get("hf_hub_filename")
    for name in (own,) if own else ("model.safetensors", "pytorch_model.bin"):
        path = hub.try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(path, str):  # …/snapshots/COMMIT/NAME
            revision = Path(path).parts[-1 - len(Path(name).parts)]
            break
    return {"repository": repository, "tag": config.get("tag"), "revision": revision}


def _without_classifier(model: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors for a model that was made without its classifier.

    Counters of batches, which old files lack and only training needs, are taken from the model.
    """
    classifiers = model.pretrained_cfg.get("classifier") or ()
    names = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    state = model.state_dict()
    counters = {n: t for n, t in state.items() if n.endswith("num_batches_tracked")}
    dropped = tuple(f"{name}." for name in names)
    kept = {n: t for n, t in tensors.items() if n in state or not n.startswith(dropped)}
    return {**counters, **kept}
