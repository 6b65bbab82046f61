"""Whether samples are near-copies of the images that they were made from."""

import torch
from torch import Tensor


def nearest(pictures: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Root-mean-square distance of each picture to the nearest image or its mirror image, 0 … 1, and that image's position.

    Args:
        pictures: uint8 (n, 3, s, s). images: uint8 (m, 3, s, s).

    Returns: float (n,), int64 (n,).
    """
    every = torch.cat((images, images.flip(3))).flatten(1).float() / 255
    x = pictures.flatten(1).float() / 255
    found = [torch.cdist(part, every).min(1) for part in x.split(500)]
    distance, index = torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])
    return distance / x.shape[1] ** 0.5, index % len(images)
