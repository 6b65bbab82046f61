"""Inception v3 behind the interface of an encoder, with torchvision's weights from a file: the
features of published Fréchet distances.

The usual FID takes the TensorFlow weights of 2015; with torchvision's the numbers are of the same
kind but not the same.
"""

import importlib
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..core.errors import ParameterError
from ..learn.encoders import Encoder
from ..learn.weights import read_state, restore

# Names in the file of what is left out: both classifiers.
DROPPED = ("AuxLogits.", "fc.")


class Inception(Encoder):
    """torchvision's Inception v3 without its classifiers; its one tap is ``pooled``, 2,048 numbers
    of an image of 299 px."""

    taps = ("pooled",)
    normalisation = ((0.5,) * 3, (0.5,) * 3)

    def __init__(self, weights: Path) -> None:
        """``weights``: torchvision's file ``inception_v3_google-….pth``, read without running code
        of it.

        Raises: CheckpointError for a file that is missing, damaged or of another model;
        ParameterError for no name, or a file of ``pretrain``.
        """
        if weights == Path():
            raise ParameterError("encoder inception: names no file; give inception:FILE")
        super().__init__()
        state = read_state(weights, "give it without inception:")
        importlib.import_module(
            "synthlearn.core.vision"
        )  # makes sure that torchvision can be imported
        models = importlib.import_module("torchvision.models")
        self.options: dict[str, Any] = {"inception": "v3", "input_size": 299}
        self.model: nn.Module = models.inception_v3(
            weights=None, aux_logits=False, init_weights=False
        )
        self.model.fc = nn.Identity()
        restore(
            self.model,
            {name: tensor for name, tensor in state.items() if not name.startswith(DROPPED)},
            weights,
        )
        self.eval()

    def features(self, x: Tensor, taps: tuple[str, ...] = ("pooled",)) -> dict[str, Tensor]:
        """Pooled features of normalised float (n, 3, 299, 299): {"pooled": (n, 2048)}."""
        return {"pooled": self.model(x)}
