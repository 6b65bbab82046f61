"""Whether samples are near-copies of the images that they were made from."""

import torch
from torch import Tensor

CHUNK = 500  # images whose distances are computed together; chosen here


def nearest(pictures: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each image to the nearest image or its mirror image, and that image's position.

    The distance is the root of the mean square over pixels, 0 … 1.

    Args:
        pictures: uint8 (n, 3, s, s). images: uint8 (m, 3, s, s).

    Returns: float (n,), int64 (n,).
    """
    every = torch.cat((images, images.flip(3))).flatten(1).float() / 255
    x = pictures.flatten(1).float() / 255
    minima = [torch.cdist(part, every).min(1) for part in x.split(CHUNK)]
    distance = torch.cat([minimum.values for minimum in minima])
    index = torch.cat([minimum.indices for minimum in minima])
    return distance / x.shape[1] ** 0.5, index % len(images)
