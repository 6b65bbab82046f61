"""Losses as pure functions on tensors; :mod:`synthlearn.learn.methods` draws the views for them."""

import math

import torch
from scipy import special
from torch import Tensor
from torch.nn import functional

from ..core.errors import ParameterError


def align(x: Tensor, y: Tensor, alpha: float = 2) -> Tensor:
    """Mean of ‖x_i − y_i‖^alpha over two views of the same n images: scalar in [0, 2^alpha].

    Wang & Isola 2020, eq. 4.

    Args:
        x, y: float (n, d), rows of unit length, n ≥ 1.
        alpha: exponent; 2 is smooth where views coincide.

    Raises: ParameterError if the shapes differ or are not (n, d).

    >>> x = torch.eye(3)
    >>> align(x, x), align(x, -x)
    (tensor(0.), tensor(4.))
    """
    _check_pairs(x, y)
    squared = (x.float() - y.float()).square().sum(1)
    return squared.mean() if alpha == 2 else squared.pow(alpha / 2).mean()


def uniform(x: Tensor, t: float = 2) -> Tensor:
    """log mean over pairs i < j of exp(−t‖x_i − x_j‖²): scalar in [−4t, 0].

    Wang & Isola 2020, eq. 5.

    Args:
        x: float (n, d), rows of unit length, n ≥ 2; one view only.
        t: sharpness of the Gaussian kernel.

    Raises: ParameterError if x is not (n, d) with n ≥ 2.

    >>> round(float(uniform(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))), 3)  # antipodes: -4t
    -8.0
    """
    _check(x, 2)
    if x.device.type == "cpu":
        return torch.pdist(x.float()).square().mul(-t).exp().mean().log()
    return uniform_by_product(x.float(), t)


def uniform_by_product(x: Tensor, t: float) -> Tensor:
    """:func:`uniform` of float32 unit rows by a matrix product of the rows, which suits a GPU:
    there pairs one by one take longer than the network.

    >>> x = torch.eye(4)
    >>> torch.isclose(uniform_by_product(x, t=2.0), uniform(x, t=2.0))
    tensor(True)
    """
    potential = ((x @ x.T - 1).clamp_max(0) * (2 * t)).exp()
    return (potential.triu(1).sum() / (len(x) * (len(x) - 1) / 2)).log()


def uniform_limit(d: int, t: float = 2) -> float:
    """What :func:`uniform` tends to for many points drawn uniformly on the sphere in d dimensions:
    log ₀F₁(; d/2; t²) − 2t.

    >>> round(uniform_limit(128), 3)
    -3.938
    """
    return math.log(special.hyp0f1(d / 2, t * t)) - 2 * t


def nt_xent(x: Tensor, y: Tensor, temperature: float = 0.5) -> Tensor:
    """SimCLR's loss: each of the 2n rows must find its partner among the 2n − 1 others.

    Chen et al. 2020, eq. 1; mean over rows.

    Args:
        x, y: float (n, d), rows of unit length: two views of the same n images.
        temperature: of the softmax over cosines.

    Returns: scalar ≥ 0; log(2n − 1) when all rows are equal.
    Raises: ParameterError if the shapes differ or are not (n, d).

    >>> same = torch.ones(4, 1)
    >>> round(float(nt_xent(same, same).exp()), 3)  # one of 2n - 1
    7.0
    """
    _check_pairs(x, y)
    n, z = len(x), torch.cat((x, y)).float()
    partner = (torch.arange(2 * n, device=z.device) + n) % (2 * n)
    return functional.cross_entropy(_others(z, temperature), partner)


def sup_con(z: Tensor, labels: Tensor, temperature: float = 0.1, mean: str = "out") -> Tensor:
    """Supervised contrastive loss: each row must find the rows of its class among all others.

    Khosla et al. 2020, eq. 2 ("out") and 3 ("in").

    Args:
        z: float (n, d), rows of unit length, all views together.
        labels: int64 (n,). Rows without another one of their class are left out of the mean.
        temperature: of the softmax over cosines; the loss is not multiplied by anything (the
            reference code does, by temperature/0.07).
        mean: over a row's positives, "out"side or "in"side the logarithm; out ≥ in.

    Returns: scalar ≥ 0.
    Raises: ParameterError if the shapes disagree, for another ``mean``, or when no row has a
    positive.

    >>> z = torch.eye(2).repeat(2, 1)  # two classes, each on one point
    >>> float(sup_con(z, torch.tensor([0, 1, 0, 1]))) < 1e-4
    True
    """
    _check_numbered(z, labels, "labels")
    if mean not in ("out", "in"):
        raise ParameterError(f"mean = {mean!r}: must be 'out' or 'in'")
    if len(labels.unique()) == len(labels):
        raise ParameterError(
            f"{len(z)} rows of {len(z)} classes: no row has another one of its class; "
            "raise the batch or the views per image"
        )
    return sup_con_unchecked(z, labels, temperature, mean)


def sup_con_unchecked(z: Tensor, labels: Tensor, temperature: float, mean: str = "out") -> Tensor:
    """:func:`sup_con` without a look at the values, for which the host would wait.

    >>> z, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    >>> sup_con_unchecked(z, labels, temperature=0.1) == sup_con(z, labels)
    tensor(True)
    """
    positive = _positives(labels)
    count = positive.sum(1)
    log_p = _others(z.float(), temperature).log_softmax(1)
    kept, divisor = count > 0, count.clamp_min(1)
    if mean == "out":
        value = -log_p.masked_fill(~positive, 0).sum(1) / divisor
    else:
        used = positive | ~kept[:, None]  # a row of nothing would make gradients of NaN
        value = divisor.log() - log_p.masked_fill(~used, float("-inf")).logsumexp(1)
    return torch.where(kept, value, 0).sum() / kept.sum()


def multi_positive(z: Tensor, caption_ids: Tensor, temperature: float = 0.1) -> Tensor:
    """StableRep's loss: cross-entropy between the softmax over all other rows and a uniform
    distribution over those of the same caption.

    Tian et al. 2023; mean over rows, of which one without another of its caption counts as 0. For
    more than two images per caption the least value is not 0 but :func:`multi_positive_floor`.

    Args:
        z: float (n, d), rows of any length but 0: they are normalised here; double precision stays
            double.
        caption_ids: int64 (n,). Equal captions are positives wherever they stand.
        temperature: of the softmax over cosines, above 0.

    Returns: scalar ≥ log(m − 1) for m images of each caption; log(n − 1) when all rows are equal.
    Raises: ParameterError for n < 2, ids of another length, values that are not finite, or a
    temperature that is not above 0.

    >>> same = torch.ones(6, 2)
    >>> round(float(multi_positive(same, torch.arange(6) % 2).exp()), 3)  # one of n - 1
    5.0
    """
    _check_numbered(z, caption_ids, "caption_ids")
    if not temperature > 0:
        raise ParameterError(f"temperature = {temperature}: must be above 0")
    if not bool(z.isfinite().all()):
        raise ParameterError(
            f"features hold {int((~z.isfinite()).sum())} values that are not finite; "
            "lower the learning rate"
        )
    return multi_positive_unchecked(z, caption_ids, temperature)


def multi_positive_unchecked(z: Tensor, caption_ids: Tensor, temperature: float) -> Tensor:
    """:func:`multi_positive` without a look at the values, for which the host would wait.

    >>> z, captions = torch.eye(4), torch.tensor([0, 0, 1, 1])
    >>> multi_positive_unchecked(z, captions, temperature=0.1) == multi_positive(z, captions)
    tensor(True)
    """
    positive = _positives(caption_ids)
    log_p = _others(_normalised(z), temperature).log_softmax(1)
    return (-log_p.masked_fill(~positive, 0).sum(1) / positive.sum(1).clamp_min(1)).mean()


def multi_positive_floor(captions: int, m: int, temperature: float = 0.1) -> float:
    """Least value of :func:`multi_positive` for ``m`` images of each of ``captions`` in
    captions − 1 dimensions or more.

    The captions then lie on the corners of a regular simplex:
    log((m − 1) + m(n − 1)·exp(−n/((n − 1)τ))).

    >>> multi_positive_floor(1, 3) == math.log(2)
    True
    """
    others = 0.0
    if captions > 1:
        others = m * (captions - 1) * math.exp(-captions / ((captions - 1) * temperature))
    return math.log(m - 1 + others)


def image_text(
    images: Tensor, texts: Tensor, image_ids: Tensor, text_ids: Tensor, scale: Tensor | float
) -> tuple[Tensor, Tensor]:
    """CLIP's loss with several images to a text, both directions: each image must find its text,
    and each text all of its images.

    Tian et al. 2023 (StableRep+, authors' code); with one image per text it is Radford et al.
    2021's.

    Args:
        images: float (n, d), texts: float (k, d), rows of any length but 0: they are normalised
            here; double precision stays double.
        image_ids: int64 (n,), text_ids: int64 (k,), different from each other: which text an image
            has.
        scale: factor of the cosines, 1/temperature.

    Returns: the images' and the texts' mean cross-entropy. The least value of the first is 0, of
    the second log m for m images of each text.
    Raises: ParameterError for ids of another length, an image without its text, or a text without
    an image.

    >>> ids = torch.arange(3)
    >>> image, text = image_text(torch.eye(3), torch.eye(3), ids, ids, scale=100)
    >>> abs(float(image)) < 1e-6, abs(float(text)) < 1e-6
    (True, True)
    """
    _check(images, 1)
    _check(texts, 1)
    if image_ids.shape != images.shape[:1] or text_ids.shape != texts.shape[:1]:
        raise ParameterError(
            f"ids of shapes {tuple(image_ids.shape)}, {tuple(text_ids.shape)} "
            f"for {len(images)} images and {len(texts)} texts: must agree"
        )
    match = image_ids[:, None] == text_ids
    if not bool((match.sum(1) == 1).all()) or not bool(match.any(0).all()):
        raise ParameterError(
            "image_ids, text_ids: every image needs exactly one of the texts, "
            "and every text an image"
        )
    return image_text_unchecked(images, texts, image_ids, text_ids, scale)


def image_text_unchecked(
    images: Tensor, texts: Tensor, image_ids: Tensor, text_ids: Tensor, scale: Tensor | float
) -> tuple[Tensor, Tensor]:
    """:func:`image_text` without a look at the values, for which the host would wait.

    >>> ids, texts = torch.tensor([0, 0, 1, 1]), torch.arange(2)
    >>> _, of_text = image_text_unchecked(torch.eye(4), torch.eye(2, 4), ids, texts, scale=0.0)
    >>> round(float(of_text.exp()), 3)  # equal logits: one of four images
    4.0
    """
    match = image_ids[:, None] == text_ids
    logits = scale * (_normalised(images) @ _normalised(texts).T)
    of_text = -logits.T.log_softmax(1).masked_fill(~match.T, 0).sum(1) / match.sum(0)
    return functional.cross_entropy(logits, match.long().argmax(1)), of_text.mean()


def info_nce(q: Tensor, k: Tensor, queue: Tensor, temperature: float = 0.2) -> Tensor:
    """MoCo's loss: each query must find its key among the keys of a queue.

    He et al. 2020, eq. 1; mean over queries.

    Args:
        q, k: float (n, d), rows of unit length: queries and the keys of the same images.
        queue: float (K, d), rows of unit length: keys of other images.
        temperature: of the softmax over cosines.

    Returns: scalar ≥ 0; log(K + 1) when all logits are equal.
    Raises: ParameterError if the shapes of q and k differ or are not (n, d), or the queue is not
    (K, d).

    >>> same = torch.ones(4, 1)
    >>> round(float(info_nce(same, same, same).exp()), 3)  # one key, and four in the queue
    5.0
    """
    _check_pairs(q, k)
    _check(queue, 1)
    if queue.shape[1] != q.shape[1]:
        raise ParameterError(
            f"queue of shape {tuple(queue.shape)} for queries of shape {tuple(q.shape)}: "
            "must be (K, d) of the same d"
        )
    q = q.float()
    logits = torch.cat(((q * k).sum(1, keepdim=True), q @ queue.T), 1) / temperature
    return functional.cross_entropy(logits, torch.zeros(len(q), dtype=torch.int64, device=q.device))


def _check(x: Tensor, least: int) -> None:
    if x.ndim != 2 or len(x) < least:
        raise ParameterError(f"features of shape {tuple(x.shape)}: must be (n, d) with n ≥ {least}")


def _check_pairs(x: Tensor, y: Tensor) -> None:
    """Two views, of one shape (n, d)."""
    _check(x, 1)
    if x.shape != y.shape:
        raise ParameterError(
            f"views of shapes {tuple(x.shape)} and {tuple(y.shape)}: must be equal"
        )


def _check_numbered(z: Tensor, ids: Tensor, name: str) -> None:
    """Rows (n, d), each with a number."""
    _check(z, 2)
    if ids.shape != z.shape[:1]:
        raise ParameterError(
            f"{name} of shape {tuple(ids.shape)} for {len(z)} rows: must be ({len(z)},)"
        )


def _positives(ids: Tensor) -> Tensor:
    """Bool (n, n): which other rows have a row's number."""
    alone = torch.eye(len(ids), dtype=torch.bool, device=ids.device)
    return (ids[:, None] == ids) & ~alone


def _normalised(z: Tensor) -> Tensor:
    """Rows of unit length, in float32 or double precision."""
    return functional.normalize(z if z.dtype == torch.float64 else z.float(), dim=1)


def _others(z: Tensor, temperature: float) -> Tensor:
    """Cosines of unit rows over the temperature, a row with itself excluded: (n, n)."""
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return (z @ z.T / temperature).masked_fill(itself, float("-inf"))
