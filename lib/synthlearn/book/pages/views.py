"""The page on features: views of the same images by other laws."""

import torch
from torch import Tensor

from ...core import rng
from ...core.augment import Augmentation
from ...core.image import MEAN, STD

JITTERS = {  # probability of a change of colours, and the largest shift of hue
    "no jitter": (0.0, 0.0),
    "mild jitter": (0.8, 0.1),
    "the paper's": (1.0, 0.4),
}


def of_each_law(images: Tensor) -> dict[str, Tensor]:
    """Views of uint8 images (n, 3, s, s) without jitter of colours, with mild and with the paper's,
    over the same crops: label → uint8 (n, 3, 2s/3, 2s/3).

    >>> import synthlearn as sl
    >>> images = sl.generator("noise-white").sample(range(2), size=48)
    >>> {label: tuple(x.shape) for label, x in of_each_law(images).items()}["no jitter"]
    (2, 3, 32, 32)
    """
    keys, frames = rng.key("views", torch.arange(len(images))), {}
    for label, (probability, hue) in JITTERS.items():
        law = Augmentation(
            crop=2 * images.shape[-1] // 3,
            scale_min=0.2,
            hue=hue,
            jitter_p=probability,
            grey_p=0.0,
        )
        x = law(images, keys)
        plain = x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        frames[label] = (255 * plain).round().clamp(0, 255).byte()
    return frames
