"""Encoders with named feature taps, and their files."""

import importlib
import inspect
import math
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import files, rng
from ..core.errors import CheckpointError, ParameterError, SynthlearnError
from ..core.image import MEAN, STD

CHANNELS, FC, OUT = (96, 192, 384, 384, 192), 4096, 128  # the authors' code
POOLED = (0, 1, 4)  # blocks that end in a max-pool 3×3, stride 2
INIT_STD = 0.02
SIDES = (32, 512)  # of an encoder's input, in pixels
WEIGHTS = 600_000_000  # most of one layer; fc6 of width 1 has 573 million at 224 px
SMALL_ALEXNET, RESNETS, VIT = (
    "SmallAlexNet",
    {"resnet18": 512, "resnet50": 2048},
    "vit",
)  # encoders that can be trained; pooled units
TRAINABLE = (SMALL_ALEXNET, *RESNETS, VIT)
# what others' files wrap a state dict in, averaged weights first, and what a wrapped module's names begin with
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")


class Encoder(nn.Module):
    """What every encoder offers: names of its taps, the input normalisation (mean, std), options with at least ``input_size``, and features.

    One that can be trained also has ``forward``, unit vectors of ``output_size`` numbers; ``embed``, what comes before the projection,
    of ``embedding_size`` numbers; and ``first_layer``, the weights (channels, 3, k, k) that see the picture.
    """

    taps: tuple[str, ...]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    options: dict[str, Any]
    output_size: int
    embedding_size: int
    first_layer: Tensor

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (n, embedding_size) of normalised float (n, 3, s, s), with gradient."""
        raise NotImplementedError

    def project(self, h: Tensor) -> Tensor:
        """Unit vectors (n, output_size) of embeddings (n, embedding_size)."""
        raise NotImplementedError

    def features(self, x: Tensor, taps: tuple[str, ...]) -> dict[str, Tensor]:
        """Named activations (n, d) of normalised float (n, 3, s, s)."""
        raise NotImplementedError


def check_side(input_size: Any) -> None:
    """Raise ParameterError unless an encoder can be built for inputs of that side in pixels."""
    whole = isinstance(input_size, int) and not isinstance(input_size, bool)
    if not whole or not SIDES[0] <= input_size <= SIDES[1]:
        raise ParameterError(
            f"input_size = {input_size!r}: must be a whole number from {SIDES[0]} to {SIDES[1]} pixels"
        )


class SmallAlexNet(Encoder):
    """The noise paper's small encoder: five 3×3 convolutions and three linear layers, unit outputs of 128 numbers.

    Args:
        width: factor on all channels and on fc6, fc7; 1 has 58,678,368 parameters at 64 px.
        input_size: side of the input in pixels, 32 … 512.
        seed: of the initial weights, N(0, 0.02²) by counter-based numbers: the same on any machine.

    Raises: ParameterError for a width or input size that cannot be built.
    """

    taps = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
    normalisation = (MEAN, STD)

    def __init__(self, width: float = 1.0, input_size: int = 64, seed: int = 0) -> None:
        super().__init__()
        check_side(input_size)
        if not isinstance(width, int | float) or not 1 / 32 <= width <= 4:
            raise ParameterError(f"width = {width!r}: must lie between 1/32 and 4")
        self.options = {"width": width, "input_size": input_size}
        channels, hidden, side = (
            [3, *(round(c * width) for c in CHANNELS)],
            round(FC * width),
            input_size,
        )
        blocks = []
        for i in range(len(CHANNELS)):
            layers = [
                nn.Conv2d(channels[i], channels[i + 1], 3, padding=1, bias=False),
                nn.BatchNorm2d(channels[i + 1]),
                nn.ReLU(),
            ]
            if i in POOLED:
                layers.append(nn.MaxPool2d(3, 2))
                side = (side - 3) // 2 + 1
            blocks.append(nn.Sequential(*layers))
        if (weights := channels[-1] * side**2 * hidden) > WEIGHTS:
            raise ParameterError(
                f"width = {width}, input_size = {input_size}: fc6 would have {weights:,} weights; at most {WEIGHTS:,} are allowed: lower the width or the size"
            )
        self.conv = nn.ModuleList(blocks)
        self.fc6 = nn.Sequential(
            nn.Linear(channels[-1] * side**2, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.fc7 = nn.Sequential(
            nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.fc8 = nn.Linear(hidden, OUT)
        self.embedding_size, self.output_size = hidden, OUT
        self.initialise(seed)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw all weights anew: N(0, 0.02²); biases 0."""
        for number, module in enumerate(
            m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)
        ):
            module.weight.copy_(
                rng.normal(rng.key("encoder", seed, number), tuple(module.weight.shape)) * INIT_STD
            )
            if module.bias is not None:
                module.bias.zero_()

    def features(self, x: Tensor, taps: tuple[str, ...] = ("fc6",)) -> dict[str, Tensor]:
        """Named activations after ReLU of normalised float (n, 3, s, s): fc taps (n, d); conv taps averaged over space, (n, channels)."""
        unknown = [tap for tap in taps if tap not in self.taps]
        if unknown:
            raise ParameterError(f"tap {unknown[0]!r}: must be one of {', '.join(self.taps)}")
        found = {}
        for i, block in enumerate(self.conv):
            x = block(x)
            if f"conv{i + 1}" in taps:
                found[f"conv{i + 1}"] = x.mean((2, 3))
        if {"fc6", "fc7"} & set(taps):  # the convolutions alone take pictures of any size
            found["fc6"] = self.fc6(x.flatten(1))
        if "fc7" in taps:
            found["fc7"] = self.fc7(found["fc6"])
        return {tap: found[tap] for tap in taps}

    @property
    def first_layer(self) -> Tensor:  # type: ignore[override]  # computed here, an attribute to those who read it
        """Weights of the first convolution, (channels, 3, 3, 3)."""
        return next(self.conv[0].parameters())

    def embed(self, x: Tensor) -> Tensor:
        """As of any encoder: fc7."""
        for block in self.conv:
            x = block(x)
        return self.fc7(self.fc6(x.flatten(1)))

    def project(self, h: Tensor) -> Tensor:
        """As of any encoder."""
        return functional.normalize(self.fc8(h), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (n, 128) of normalised float (n, 3, s, s)."""
        return self.project(self.embed(x))


def resnet_trunk(name: str, seed: int) -> nn.Module:
    """torchvision's ResNet up to its pooled units, with weights as by its default initialisation but from counted random numbers."""
    models = importlib.import_module(
        "synthlearn.core.vision"
    ).torchvision.models  # slow to import, and only needed here
    network = models.get_model(name, weights=None)
    network.fc = nn.Identity()
    for number, layer in enumerate(
        module for module in network.modules() if isinstance(module, nn.Conv2d)
    ):
        fan_out = layer.out_channels * layer.kernel_size[0] ** 2
        layer.weight.data = rng.normal(
            rng.key(name, seed, number), tuple(layer.weight.shape)
        ) * math.sqrt(2 / fan_out)
    return network


class ResNet(Encoder):
    """A ResNet with MoCo v2's head, Linear–ReLU–Linear to unit vectors of 128 numbers; its one tap is ``pooled``, before the head.

    Args:
        name: "resnet18" or "resnet50".
        input_size: side of the input in pixels, 32 … 512.
        seed: of the initial weights, by counter-based numbers.

    Raises: ParameterError for another name or size.
    """

    taps = ("pooled",)
    normalisation = (MEAN, STD)
    output_size = OUT

    def __init__(self, name: str = "resnet50", input_size: int = 224, seed: int = 0) -> None:
        super().__init__()
        check_side(input_size)
        if not isinstance(name, str) or name not in RESNETS:
            raise ParameterError(f"encoder = {name!r}: must be one of {', '.join(TRAINABLE)}")
        self.options = {"name": name, "input_size": input_size}
        self.trunk: Any = resnet_trunk(name, seed)
        self.embedding_size = RESNETS[name]
        self.head = nn.Sequential(
            nn.Linear(self.embedding_size, self.embedding_size),
            nn.ReLU(),
            nn.Linear(self.embedding_size, OUT),
        )
        with torch.no_grad():
            for number in (0, 2):
                layer = self.head[number]
                assert isinstance(layer, nn.Linear)
                bound = layer.in_features**-0.5  # as torch's own
                layer.weight.copy_(
                    rng.uniform(
                        rng.key(f"{name}-head", seed, number),
                        tuple(layer.weight.shape),
                        -bound,
                        bound,
                    )
                )
                layer.bias.zero_()

    @property
    def first_layer(self) -> Tensor:  # type: ignore[override]
        """Weights of the first convolution, (64, 3, 7, 7)."""
        return self.trunk.conv1.weight

    def features(self, x: Tensor, taps: tuple[str, ...] = ("pooled",)) -> dict[str, Tensor]:
        """Pooled features of normalised float (n, 3, s, s): {"pooled": (n, 512 or 2048)}."""
        return {"pooled": self.trunk(x)}

    def embed(self, x: Tensor) -> Tensor:
        """As of any encoder: the pooled features."""
        return self.trunk(x)

    def project(self, h: Tensor) -> Tensor:
        """As of any encoder."""
        return functional.normalize(self.head(h), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (n, 128) of normalised float (n, 3, s, s)."""
        return self.project(self.embed(x))


def _timm(name: str) -> Any:
    """timm, for an encoder of that name. Raises ParameterError when it is not installed."""
    importlib.import_module(
        "synthlearn.core.vision"
    )  # timm imports torchvision: make sure that it can
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ParameterError(
            f"encoder {name}: timm is not installed; pip install -e '.[models]' in the checkout"
        ) from error


class ViT(Encoder):
    """A Vision Transformer of timm with StableRep's head: three linear layers with batch norm between them. Its one tap, ``pooled``, is the class
    token after the last norm.

    StableRep's smallest has width 384, 12 layers and 16 px patches of 224 px; this one 192, 6 layers and patches of an eighth of the input.

    Args:
        input_size: side of the input in pixels, a multiple of 8, 32 … 512.
        seed: of the initial weights, N(0, 0.02²), by counter-based numbers.

    Raises: ParameterError for another size, or without timm.
    """

    taps = ("pooled",)
    normalisation = (MEAN, STD)
    output_size, embedding_size, hidden = OUT, 192, 768

    def __init__(self, input_size: int = 32, seed: int = 0) -> None:
        super().__init__()
        check_side(input_size)
        if input_size % 8:
            raise ParameterError(f"input_size = {input_size}: the ViT needs a multiple of 8")
        self.options = {"input_size": input_size}
        transformer = _timm(VIT).models.vision_transformer.VisionTransformer
        self.trunk: Any = transformer(
            img_size=input_size,
            patch_size=input_size // 8,
            embed_dim=self.embedding_size,
            depth=6,
            num_heads=3,
            num_classes=0,
        )
        layers: list[nn.Module] = []
        for into, out in ((self.embedding_size, self.hidden), (self.hidden, self.hidden)):
            layers += [nn.Linear(into, out), nn.BatchNorm1d(out), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Linear(self.hidden, OUT))
        with torch.no_grad():
            for number, (name, p) in enumerate(self.named_parameters()):
                if p.ndim > 1:
                    p.copy_(rng.normal(rng.key(VIT, seed, number), tuple(p.shape)) * INIT_STD)
                elif name.endswith("bias"):
                    p.zero_()

    @property
    def first_layer(self) -> Tensor:  # type: ignore[override]
        """Weights of the patch embedding, (192, 3, p, p)."""
        return self.trunk.patch_embed.proj.weight

    def features(self, x: Tensor, taps: tuple[str, ...] = ("pooled",)) -> dict[str, Tensor]:
        """The class token of normalised float (n, 3, s, s): {"pooled": (n, 192)}."""
        return {"pooled": self.embed(x)}

    def embed(self, x: Tensor) -> Tensor:
        """As of any encoder: the class token."""
        return self.trunk(x)

    def project(self, h: Tensor) -> Tensor:
        """As of any encoder."""
        return functional.normalize(self.head(h), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (n, 128) of normalised float (n, 3, s, s)."""
        return self.project(self.embed(x))


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

    taps = ("pooled",)

    def __init__(self, name: str, weights: Path | None = None) -> None:
        super().__init__()
        timm, what = _timm(f"timm:{name}"), f"encoder timm:{name}"
        if not timm.is_model(name):
            raise ParameterError(f"{what}: timm has no such model; see timm.list_models()")
        # before the model, which may be large
        tensors = None if weights is None else read_state(weights, "give it without timm:")
        try:
            self.model = timm.create_model(name, pretrained=weights is None, num_classes=0)
        except Exception as error:  # timm passes on whatever its hub client or file reader raises
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            if weights is not None:
                raise CheckpointError(f"{what}: timm cannot make it ({said})") from error
            raise CheckpointError(
                f"{what}: no weights ({said}); give a file, timm:{name}@FILE.safetensors"
            ) from error
        config = self.model.pretrained_cfg
        self.normalisation = (config["mean"], config["std"])
        self.options = {"timm": name, "input_size": config["input_size"][-1]}
        if weights is None or tensors is None:
            self.options["hub"] = _hub(config)
            check_finite(self.model, what)
        else:
            restore(self.model, _without_classifier(self.model, tensors), weights)

    def features(self, x: Tensor, taps: tuple[str, ...] = ("pooled",)) -> dict[str, Tensor]:
        """Pooled features of normalised float (n, 3, s, s): {"pooled": (n, d)}."""
        return {"pooled": self.model(x)}


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


def describe(name: str, width: float, input_size: int) -> dict[str, Any]:
    """An encoder for a record: its name and what decides its shape."""
    return (
        {"name": name, "width": width, "input_size": input_size}
        if name == SMALL_ALEXNET
        else {"name": name, "input_size": input_size}
    )


def build(name: str, width: float, input_size: int, seed: int) -> SmallAlexNet | ResNet | ViT:
    """An untrained encoder by name; ``width`` is the SmallAlexNet's. Raises ParameterError for an unknown name or a size that cannot be built."""
    if name == VIT:
        return ViT(input_size, seed)
    return (
        SmallAlexNet(width, input_size, seed)
        if name == SMALL_ALEXNET
        else ResNet(name, input_size, seed)
    )


def save(path: Path, encoder: Encoder, header: dict[str, Any]) -> None:
    """Write an encoder as safetensors with a JSON header: kind, options, input normalisation, and ``header`` (what trained it)."""
    described = {
        "encoder": type(encoder).__name__,
        "options": encoder.options,
        "normalisation": encoder.normalisation,
        **header,
    }
    files.save_tensors(path, encoder.state_dict(), described)


def load(what: str, width: float = 0.25, input_size: int = 32, seed: int = 0) -> Encoder:
    """An encoder by name, in eval mode.

    Args:
        what: a file written by ``pretrain``, a ``.pt`` or ``.pth`` file of the authors' released SmallAlexNets, "random" (SmallAlexNet of
            ``width``, ``input_size`` and ``seed``), or "timm:NAME[@FILE]".

    A file's own input normalisation is taken. What is not finite is refused.

    Raises: CheckpointError if the file is missing, damaged, foreign, or does not fit its own header;
    ParameterError for an unknown model, an impossible width or size, or the wrong way to name a file.
    """
    if what == "random":
        return SmallAlexNet(width, input_size, seed).eval()
    if what.startswith("timm:"):
        name, given, weights = what.removeprefix("timm:").partition("@")
        if given and not weights:
            raise ParameterError(f"encoder {what}: names no file; give timm:{name}@FILE, or no @")
        return Timm(name, Path(weights) if given else None).eval()
    if what.endswith((".pt", ".pth")):
        return _released(Path(what)).eval()
    tensors, header = files.load_tensors(Path(what))
    encoder = _described(header, what)
    restore(encoder, tensors, what)
    return encoder.eval()


def _described(header: dict[str, Any], what: str) -> SmallAlexNet | ResNet | ViT:
    """The encoder that a file's header describes, its weights untrained. Raises CheckpointError."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (SmallAlexNet, ResNet, ViT)}
    name, options = header.get("encoder"), header.get("options")
    if not isinstance(name, str) or name not in kinds:
        raise CheckpointError(
            f"{what}: holds no encoder (its header says {str(name)[:80]!r}); make one with `python -m synthlearn pretrain`"
        )
    known = inspect.signature(kinds[name]).parameters.keys() - {"seed"}
    if not isinstance(options, dict) or options.keys() != known:
        given = ", ".join(map(str, options)) if isinstance(options, dict) else repr(options)[:80]
        raise CheckpointError(
            f"{what}: its header's options ({given[:200]}) are not those of a {name} "
            f"({', '.join(sorted(known))}); if a newer version wrote it, update synthlearn"
        )
    try:
        encoder = kinds[name](**options)
    except ParameterError as error:
        raise CheckpointError(f"{what}: {error}") from error
    if "normalisation" in header:
        encoder.normalisation = _normalisation(header["normalisation"], what)
    return encoder


def _normalisation(found: Any, what: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of a header, three finite numbers each. Raises CheckpointError."""

    def three(values: Any, above: float) -> bool:
        good = isinstance(values, list) and len(values) == 3
        return good and all(isinstance(v, int | float) and above < v < 1e6 for v in values)

    if isinstance(found, list) and len(found) == 2 and three(found[0], -1e6) and three(found[1], 0):
        return tuple(found[0]), tuple(found[1])
    raise CheckpointError(
        f"{what}: normalisation = {str(found)[:80]}: must be the mean of three channels and their standard deviation, above 0; make the file again"
    )


def identity(path: Path) -> str:
    """What an encoder's file holds, wherever it lies: the id of the record that it was trained for,
    else SHA-256 of the file. Raises CheckpointError for a file that is damaged or not ours."""
    if path.suffix not in (".pt", ".pth"):
        record = files.load_tensors(path)[1].get("record")
        if isinstance(record, str):
            return record
    return files.sha256(path)


def is_safetensors(path: Path) -> bool:
    """True if a file is of the safetensors format, by its content. Raises CheckpointError for none."""
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: is not a file; give a file of weights")
        with open(path, "rb") as stream:
            return stream.read(9)[8:] == b"{"
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null
        said = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path}: cannot be read ({said})") from error


def read_state(path: Path, ours: str) -> dict[str, Tensor]:
    """Tensors by name of a file of weights that others wrote, read without running code of it.

    safetensors or torch's own formats, told apart by content. A state dict is taken out of what it
    is wrapped in, and its names lose the prefixes of wrapped modules.

    Args:
        ours: what to do with a file of ``pretrain``, for the message.

    Raises: CheckpointError for a file that is missing, damaged, or holds no tensors; ParameterError
    for a file of ``pretrain``.
    """
    try:
        if is_safetensors(path):
            with safetensors.safe_open(path, framework="pt") as stream:
                if "synthlearn" in (stream.metadata() or {}):
                    raise ParameterError(f"{path}: is a file of `pretrain`: {ours}")
            found: Any = safetensors.torch.load_file(path)
        else:
            if zipfile.is_zipfile(path):  # torch itself does not look at the checksums
                with zipfile.ZipFile(path) as archive:
                    if damaged := archive.testzip():
                        raise CheckpointError(
                            f"{path}: damaged in {damaged!r}; fetch the file again"
                        )
            found = torch.load(path, map_location="cpu", weights_only=True)
    except SynthlearnError:
        raise
    except Exception as error:  # many kinds, for a damaged file or one that holds more than tensors
        raise CheckpointError(
            f"{path}: not a state dict of tensors ({type(error).__name__}); give a file of weights, as torch.save(model.state_dict()) or safetensors write it"
        ) from error
    for key in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    tensors = {}
    for name, tensor in found.items() if isinstance(found, dict) else ():
        if isinstance(name, str) and isinstance(tensor, Tensor):
            for prefix in PREFIXES:
                name = name.removeprefix(prefix)
            if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
                raise CheckpointError(
                    f"{path}: tensor {name!r} is sparse, quantised or empty; give one of plain tensors"
                )
            tensors[name] = tensor
    if not tensors:
        raise CheckpointError(f"{path}: holds no tensors; give a file of a model's weights")
    return tensors


def _released(path: Path) -> SmallAlexNet:
    """The authors' SmallAlexNet from its state dict, read without running any code of the file.

    Their blocks are ours, in the same order under other names; width and input size follow from the
    shapes. Raises CheckpointError; ParameterError for a file of ``pretrain`` under such a name.
    """
    renamed = path.with_suffix(".safetensors").name
    tensors = list(read_state(path, f"rename it to {renamed}").values())
    if is_safetensors(path):  # which has no order of tensors
        raise CheckpointError(f"{path}: is safetensors; give the .pth file of a released encoder")
    try:
        width = len(tensors[0]) / CHANNELS[0]
        last = next(i for i, t in enumerate(tensors) if t.ndim == 2)
        side = math.isqrt(tensors[last].shape[1] // round(CHANNELS[-1] * width))
        encoder = SmallAlexNet(width, 8 * side + 8)  # three times (s − 3)//2 + 1
    except (StopIteration, TypeError, ZeroDivisionError, ParameterError) as error:
        raise CheckpointError(
            f"{path}: not a SmallAlexNet (five convolutions and three linear layers); give the .pth file of a released encoder"
        ) from error
    names = list(encoder.state_dict())
    if len(names) != len(tensors):
        raise CheckpointError(
            f"{path}: has {len(tensors)} tensors, a SmallAlexNet {len(names)}; give the .pth file of a released encoder"
        )
    restore(encoder, dict(zip(names, tensors, strict=True)), path)
    return encoder


def restore(module: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Load a state dict strictly.

    Raises: CheckpointError naming the first tensor that is missing, left over, of another shape or
    kind of numbers, or not finite.
    """
    state = module.state_dict()
    for name in sorted(state.keys() ^ tensors.keys()):
        raise CheckpointError(
            f"{path}: tensor {name!r} is {'missing' if name in state else 'not part of the model'}; the file belongs to another encoder"
        )
    for name, tensor in state.items():
        if tensor.shape != tensors[name].shape:
            raise CheckpointError(
                f"{path}: tensor {name!r} has shape {tuple(tensors[name].shape)}, the model needs {tuple(tensor.shape)}"
            )
        if tensor.is_floating_point() != tensors[name].is_floating_point():
            raise CheckpointError(
                f"{path}: tensor {name!r} is of {tensors[name].dtype}, the model needs {tensor.dtype}"
            )
    module.load_state_dict(tensors)
    check_finite(module, path)


def check_finite(module: nn.Module, what: str | Path) -> None:
    """Raise CheckpointError, naming the first, unless all weights and statistics are finite."""
    for name, tensor in module.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{what}: tensor {name!r} holds NaN or infinity; give another file, or train again with a lower lr"
            )


def parameters(encoder: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(math.prod(p.shape) for p in encoder.parameters())
