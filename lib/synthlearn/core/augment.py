"""Random views of uint8 image batches, every image with its own parameters, as tensor operations.

The law is torchvision's (RandomResizedCrop, flip, ColorJitter in random order, RandomGrayscale);
the random numbers are counter-based, so a view depends on its key alone.

Three ways give the same views: on CPUs, colour steps on the subset of images whose turn it is; on
GPUs one kernel (:mod:`synthlearn.core.view_kernel`); on other devices, and as the law that the
kernel is tested against, steps on all images, kept where they apply. The last two never make the
host wait: no shape and no branch depends on a value.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import rng
from .errors import ParameterError
from .image import (
    FROM_YIQ,
    LUMA,
    MEAN,
    STD,
    YIQ,
    constant,
    luma,
    resize,
    shift_hue,
    triangle_weights,
)

TRIES = 10  # of a crop that fits, then the whole image (torchvision)
RATIO = (3 / 4, 4 / 3)  # width by height of a crop (torchvision's default)
CHUNK = 64  # images whose pixels stay in the cache of a core; chosen here


class Parameters(NamedTuple):
    """What happens to each of n images before the steps on pixels.

    Windows ``top``, ``left``, ``height``, ``width`` int64 (n,); ``flip`` and ``grey`` bool (n,);
    ``factors`` float32 (n, 4) of brightness, contrast, saturation and hue; ``order`` int64 (n, 4),
    in which these apply; ``reduction`` int64 (n,): 0 none, 1 to a half, 2 to a quarter of the side.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor
    factors: Tensor
    order: Tensor
    grey: Tensor
    reduction: Tensor


@dataclass(frozen=True)
class Augmentation:
    """The noise paper's pipeline; defaults are its constants (authors' code).

    Args:
        crop: side of a view in pixels.
        scale_min: smallest area of a crop as a share of the image; the largest is 1.
        jitter: brightness, contrast and saturation factors are uniform on 1 ± jitter.
        hue: hue shift is uniform on ± hue turns of the circle.
        jitter_p, grey_p, flip_p: probabilities.
        variant: "exact" clamps after each colour step and shifts the HSV hue, as torchvision does;
            "linear" composes the colour steps, in the same random order, to one affine map with a
            hue rotation in YIQ and one clamp: about twice as fast.
        downsample_p: probability that an image is first reduced to a half or a quarter of its side
            (equal odds) and enlarged again, so that sharp synthetic images are sometimes as
            blurred as real ones (StableRep, authors' code: 0.05).

    Raises: ParameterError for another variant.

    >>> images = torch.zeros(4, 3, 48, 48, dtype=torch.uint8)
    >>> keys = rng.key("views", torch.arange(4))
    >>> Augmentation(crop=32)(images, keys).shape
    torch.Size([4, 3, 32, 32])
    >>> both = torch.stack([rng.fold(keys, view) for view in range(2)])
    >>> Augmentation(crop=32)(images, both).shape
    torch.Size([8, 3, 32, 32])
    """

    crop: int = 64
    scale_min: float = 0.08
    jitter: float = 0.4
    hue: float = 0.4
    jitter_p: float = 1.0
    grey_p: float = 0.2
    flip_p: float = 0.5
    variant: str = "exact"
    downsample_p: float = 0.0

    def __post_init__(self) -> None:
        if self.variant not in ("exact", "linear"):
            raise ParameterError(f"augmentation = {self.variant!r}: must be 'exact' or 'linear'")

    def spec(self) -> dict[str, Any]:
        """For a record: all settings."""
        return asdict(self)

    def __call__(self, images: Tensor, keys: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normalised views, one of each image or v of each.

        Args:
            images: uint8 (n, 3, h, w), square where ``downsample_p`` is not 0.
            keys: int64 (n,) for one view, (v, n) for v of them.
            dtype: of the views; they are computed in float32 and rounded once.

        Returns: (n, 3, crop, crop), or (v·n, 3, crop, crop) with view 0 of all images first;
            channels last in memory.

        Raises: ParameterError when the crop is larger than the image.
        """
        height, width = images.shape[-2:]
        if self.crop > min(height, width):
            raise ParameterError(
                f"crop = {self.crop}: larger than the images ({height}×{width}); "
                "lower it or raise image_size"
            )
        if _kernel_runs(images):
            return self.by_kernel(images, keys, dtype)
        return self.by_tensors(images, keys, dtype, subsets=images.device.type == "cpu")

    def by_kernel(self, images: Tensor, keys: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """The views of :meth:`__call__` by one kernel, where ``kernels.available``."""
        from .view_kernel import views

        source = torch.arange(len(images), device=images.device).expand(keys.shape).flatten()
        parameters = self.parameters(keys.flatten(), *images.shape[-2:])
        if self.downsample_p:
            source = source + len(images) * parameters.reduction
            images = torch.cat((images, _reduced(images, 2), _reduced(images, 4)))
        return views(images, source, parameters, self.crop, self.variant == "linear", dtype)

    def by_tensors(
        self, images: Tensor, keys: Tensor, dtype: torch.dtype = torch.float32, *, subsets: bool
    ) -> Tensor:
        """The views of :meth:`__call__` by tensor operations.

        Args:
            subsets: apply a colour step only to the images whose turn it is, which the host looks
                up; else to all, keeping what applies.
        """
        n, (height, width) = len(images), images.shape[-2:]
        step = CHUNK if images.device.type == "cpu" else max(n, 1)
        shape = (keys.numel(), 3, self.crop, self.crop)
        out = torch.empty(shape, device=images.device, memory_format=torch.channels_last)
        mean, std = (constant(c, images.device).view(3, 1, 1) for c in (MEAN, STD))
        for view, view_keys in enumerate(keys.reshape(-1, n) if n else ()):
            for start in range(0, n, step):
                part = slice(start, min(start + step, n))
                parameters, x = self.parameters(view_keys[part], height, width), images[part]
                if self.downsample_p:
                    x = downsampled(x, parameters.reduction, subsets)
                x = resized_crop(x, *parameters[:5], self.crop)
                x = self._colour(x, parameters, subsets).sub_(mean).div_(std)
                out[view * n + part.start : view * n + part.stop] = x
        return out.to(dtype)

    def parameters(self, keys: Tensor, height: int, width: int) -> Parameters:
        """Parameters of views of images ``height`` × ``width``, from int64 keys (n,)."""
        streams = rng.fold(keys[:, None], torch.arange(4, device=keys.device))
        streams = torch.cat((streams, rng.fold(streams[:, :1], 1)), 1)
        window, flip, colour, less, place = rng.uniform(streams, (2 * TRIES,)).unbind(1)
        tries = window.view(-1, TRIES, 2)
        on = colour[:, 4:5] < self.jitter_p
        factors = torch.where(on, 1 + self.jitter * (2 * colour[:, :3] - 1), 1.0)
        hue = torch.where(on, self.hue * (2 * colour[:, 3:4] - 1), 0.0)
        reduced = (less[:, 0] < self.downsample_p).long()
        return Parameters(
            *crop_windows(tries, place, height, width, self.scale_min),
            flip=flip[:, 0] < self.flip_p,
            factors=torch.cat((factors, hue), 1),
            order=colour[:, 5:9].argsort(1),
            grey=colour[:, 9] < self.grey_p,
            reduction=reduced * (2 - (less[:, 1] < 0.5).long()),
        )

    def _colour(self, x: Tensor, parameters: Parameters, subsets: bool) -> Tensor:
        """Jitter and grey of float (n, 3, h, w) in [0, 1]."""
        factors, order, grey = parameters.factors, parameters.order, parameters.grey
        if self.variant == "linear":
            return linear_jitter(x, factors, order, grey)
        if not subsets:
            x = jitter_all(x, factors, order)
            return torch.where(_each(grey), luma(x), x)
        x = jitter(x, factors, order)
        chosen = torch.nonzero(grey).flatten()
        x[chosen] = luma(x[chosen]).expand(-1, 3, -1, -1)
        return x


def _kernel_runs(images: Tensor) -> bool:
    """Whether views of these images are the kernel's: not on CPUs, whose bits are in records."""
    if images.device.type == "cpu" or type(images) is not Tensor:  # a FakeTensor has no memory
        return False
    from .kernels import available  # only now: it imports Triton

    return available(images.device)


def _each(chosen: Tensor) -> Tensor:
    """Bool (n,) as a condition on images (n, c, h, w)."""
    return chosen[:, None, None, None]


def _reduced(images: Tensor, less: int) -> Tensor:
    """Squares reduced to 1/less of their side and enlarged again, uint8 (n, 3, h, h)."""
    side = images.shape[-1]
    return resize(resize(images, side // less), side)


def downsampled(images: Tensor, reduction: Tensor, subsets: bool) -> Tensor:
    """Squares uint8 (n, 3, h, h), reduced as ``reduction`` (n,) says and enlarged again.

    subsets: as in :meth:`Augmentation.by_tensors`.

    >>> image = torch.tensor([0, 100]).repeat(4, 2).expand(1, 3, 4, 4).byte()  # stripes
    >>> downsampled(image, torch.tensor([0]), subsets=True).unique().tolist()
    [0, 100]
    >>> downsampled(image, torch.tensor([2]), subsets=True).unique().tolist()  # one pixel was left
    [50]
    """
    if not subsets:
        for choice, less in ((1, 2), (2, 4)):
            images = torch.where(_each(reduction == choice), _reduced(images, less), images)
        return images
    images = images.clone()
    for choice, less in ((1, 2), (2, 4)):
        chosen = torch.nonzero(reduction == choice).flatten()
        if len(chosen):
            images[chosen] = _reduced(images[chosen], less)
    return images


def crop_windows(
    u: Tensor, v: Tensor, height: int, width: int, scale_min: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """torchvision's RandomResizedCrop windows (top, left, h, w), int64 (n,) each.

    The first try that fits counts, else the whole image. u: uniform numbers (n, tries, 2) for area
    and ratio; v: (n, 2 or more) for the place.

    >>> u, v = torch.full((1, 1, 2), 0.5), torch.zeros(1, 2)  # half the area, square, top left
    >>> crop_windows(u, v, height=48, width=48, scale_min=0.0)
    (tensor([0]), tensor([0]), tensor([34]), tensor([34]))
    """
    area = height * width * (scale_min + (1 - scale_min) * u[..., 0])
    ratio = torch.exp(math.log(RATIO[0]) + (math.log(RATIO[1]) - math.log(RATIO[0])) * u[..., 1])
    w, h = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.int().argmax(1, keepdim=True)
    none = fits.any(1).logical_not()
    w, h = w.gather(1, first)[:, 0], h.gather(1, first)[:, 0]
    w, h = torch.where(none, width, w), torch.where(none, height, h)
    return (v[:, 0] * (height - h + 1)).long(), (v[:, 1] * (width - w + 1)).long(), h, w


def resized_crop(
    images: Tensor, top: Tensor, left: Tensor, h: Tensor, w: Tensor, flip: Tensor, size: int
) -> Tensor:
    """Crop, resize with PIL's antialiased bilinear filter, mirror: uint8 (n, 3, H, W) → float
    (n, 3, size, size) in [0, 1].

    Two batched matrix products; a mirrored image has its column weights in reverse.

    >>> image = torch.tensor([0, 255]).repeat_interleave(2).expand(1, 3, 4, 4).byte()  # dark, light
    >>> zero, four = torch.tensor([0]), torch.tensor([4])
    >>> view = resized_crop(image, zero, zero, four, four, flip=torch.tensor([True]), size=4)
    >>> view[0, 0, 0].tolist()  # light, dark
    [1.0, 1.0, 0.0, 0.0]
    """
    rows = triangle_weights(top.float(), h.float(), images.shape[-2], size)
    columns = triangle_weights(left.float(), w.float(), images.shape[-1], size)
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    n, c, height, width = images.shape
    x = images.reshape(n, c * height, width).float() @ (columns / 255).transpose(1, 2)
    return rows[:, None] @ x.view(n, c, height, size)


def _blend(x: Tensor, y: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(y, x, factor).clamp_(0, 1)


def _colour_step(operation: int, x: Tensor, factor: Tensor) -> Tensor:
    """Brightness, contrast, saturation or hue (0 … 3) of (n, 3, h, w) by factors (n,), clamped."""
    f = factor.view(-1, 1, 1, 1)
    if operation == 0:
        return (x * f).clamp_(0, 1)
    if operation == 1:
        return _blend(x, luma(x).mean((2, 3), keepdim=True), f)
    if operation == 2:
        return _blend(x, luma(x), f)
    return shift_hue(x, factor)


def jitter(x: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Brightness, contrast, saturation and hue of float (n, 3, h, w) in [0, 1], which it changes.

    Each image has its own order; as in torchvision, each step is clamped.

    >>> x = torch.full((1, 3, 8, 8), 0.5)
    >>> factors = torch.tensor([[0.5, 1.0, 1.0, 0.0]])  # half as bright, all else as it is
    >>> jitter(x, factors, order=torch.arange(4)[None]).unique()
    tensor([0.2500])
    """
    for step in range(4):
        for operation in range(4):
            chosen = torch.nonzero(order[:, step] == operation).flatten()
            if len(chosen):
                x[chosen] = _colour_step(operation, x[chosen], factors[chosen, operation])
    return x


def jitter_all(x: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """:func:`jitter` without the host: all operations on all images, each kept where it is due.

    >>> x, order = torch.rand(2, 3, 8, 8), torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    >>> factors = torch.tensor([[0.8, 1.2, 0.9, 0.1]]).expand(2, 4)
    >>> torch.equal(jitter_all(x, factors, order), jitter(x.clone(), factors, order))
    True
    """
    for step in range(4):
        for operation in range(4):
            turn = _each(order[:, step] == operation)
            x = torch.where(turn, _colour_step(operation, x, factors[:, operation]), x)
    return x


def linear_jitter(x: Tensor, factors: Tensor, order: Tensor, grey: Tensor) -> Tensor:
    """The same steps composed to one affine colour map per image, clamped once; grey (n,) images
    end in luma. Float (n, 3, h, w) in [0, 1].

    >>> x = torch.rand(1, 3, 8, 8)
    >>> factors, order = torch.tensor([[0.5, 1.0, 1.0, 0.0]]), torch.arange(4)[None]
    >>> dark = linear_jitter(x, factors, order, grey=torch.tensor([False]))
    >>> torch.allclose(dark, x / 2, atol=1e-5)
    True
    """
    n, device = len(x), x.device
    weights = constant(LUMA, device)
    to_luma, eye = weights.expand(3, 3), torch.eye(3, device=device)
    to_yiq, from_yiq = constant(YIQ, device), constant(FROM_YIQ, device)
    mean = x.mean((2, 3))
    matrix, shift = eye.expand(n, 3, 3), torch.zeros(n, 3, device=device)
    f = factors[:, :, None, None]
    angle = 2 * math.pi * factors[:, 3]
    turn = torch.zeros(n, 3, 3, device=device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = torch.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = torch.sin(angle), -torch.sin(angle)
    maps = torch.stack(
        (
            f[:, 0] * eye,
            f[:, 1] * eye,
            f[:, 2] * eye + (1 - f[:, 2]) * to_luma,
            from_yiq @ turn @ to_yiq,
        ),
        1,
    )
    for step in range(4):
        operation = order[:, step]
        chosen = maps[torch.arange(n, device=device), operation]
        # mean luma so far: what contrast blends with
        level = ((matrix @ mean[..., None])[..., 0] + shift) @ weights
        offset = torch.where(operation == 1, (1 - factors[:, 1]) * level, torch.zeros_like(level))
        matrix, shift = chosen @ matrix, (chosen @ shift[..., None])[..., 0] + offset[:, None]
    matrix = torch.where(grey[:, None, None], to_luma @ matrix, matrix)
    shift = torch.where(grey[:, None], (shift @ weights)[:, None].expand(-1, 3), shift)
    return torch.baddbmm(shift[..., None], matrix, x.flatten(2)).clamp_(0, 1).view_as(x)
