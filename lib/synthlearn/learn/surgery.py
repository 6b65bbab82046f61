"""Encoders that keep some of a trained one's weights, or only statistics of them; and a closed form
that imitates trained attention.

A weight is any parameter of two or more axes, taken as a matrix of one line per output; a vector is
any other (biases, batch norm's factors and shifts). Random numbers are functions of the seed and of
the parameter's place alone.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from .networks import Encoder, SmallAlexNet, ViT

Surgery = Callable[[Tensor, Tensor], Tensor]  # of a weight and a key, to another weight
# Of W_Q W_K^T ≈ α Z + β I and W_V W_O ≈ α Z − β I, with Z ~ N(0, 1/d) (Trockman and Kolter 2023,
# "Mimetic initialization of self-attention layers", section 4; their values for ViT-Tiny).
QUERY_KEY = (0.7, 0.7)
VALUE_OUT = (0.4, 0.4)
WAVELENGTH = 10_000  # of the slowest wave of the position embedding (Vaswani et al. 2017)


def mean_and_spread(weight: Tensor, key: Tensor) -> Tensor:
    """Numbers drawn from the normal law with the mean and the standard deviation of ``weight``."""
    drawn = rng.normal(key, tuple(weight.shape))
    return weight.mean() + weight.std(correction=0) * drawn


def shuffled(weight: Tensor, key: Tensor) -> Tensor:
    """The numbers of ``weight`` in a random order.

    >>> shuffled(torch.arange(4.0), rng.key("example", 1)).sort().values
    tensor([0., 1., 2., 3.])
    """
    return weight.flatten()[rng.permutation(key, weight.numel())].view(weight.shape)


def spectrum(weight: Tensor, key: Tensor) -> Tensor:
    """Singular values of ``weight``, (out, …) as a matrix, with random singular vectors; a vector
    is shuffled."""
    if weight.ndim < 2:
        return shuffled(weight, key)
    matrix = weight.flatten(1)
    values = torch.linalg.svdvals(matrix)
    left, right = (
        _orthonormal(rng.fold(key, side), length, len(values))
        for side, length in enumerate(matrix.shape)
    )
    made: Tensor = left * values @ right.T
    return made.view(weight.shape)


def _orthonormal(key: Tensor, length: int, count: int) -> Tensor:
    """``count`` orthonormal columns of ``length`` numbers, uniform over all such: float (l, c)."""
    q, r = torch.linalg.qr(rng.normal(key, (length, count)))
    columns: Tensor = q * r.diagonal().sign()
    return columns


STATISTICS: Mapping[str, Surgery] = {
    "mean and spread": mean_and_spread,
    "shuffled": shuffled,
    "spectrum": spectrum,
}


@torch.no_grad()
def operate(encoder: Encoder, surgery: Surgery, seed: int) -> Encoder:
    """A copy of which every parameter has gone through a surgery of its own key; what an encoder
    counts while it trains (batch norm's means and variances) stays."""
    patient = copy.deepcopy(encoder)
    for number, parameter in enumerate(patient.parameters()):
        key = rng.key("surgery", seed, number)
        parameter.copy_(surgery(parameter.detach().cpu(), key))
    return patient


def before_training(encoder: Encoder, seed: int) -> Encoder:
    """The untrained encoder of the same shape and seed, on the same device: what a run of that seed
    began with.

    Raises: ParameterError for an encoder that is not one of ours.
    """
    if not hasattr(encoder, "embedding_size"):
        raise ParameterError(f"{type(encoder).__name__}: is not trained here; give one of ours")
    start: Encoder = type(encoder)(**encoder.options, seed=seed)
    start.normalisation = encoder.normalisation
    return start.to(next(encoder.parameters()).device).eval()


def first_layers(trained: SmallAlexNet, start: SmallAlexNet, count: int) -> SmallAlexNet:
    """A copy of ``start`` with the first convolutions of ``trained``, and their batch norms."""
    patient = copy.deepcopy(start)
    for ours, theirs in zip(patient.conv[:count], trained.conv[:count], strict=True):
        ours.load_state_dict(theirs.state_dict())
    return patient


@torch.no_grad()
def mimetic(start: ViT, seed: int) -> ViT:
    """A copy with attention as training would leave it, in closed form: W_Q W_Kᵀ ≈ αZ + βI by head,
    W_V W_O ≈ αZ − βI, and positions told by sines (Trockman and Kolter 2023)."""
    patient = copy.deepcopy(start)
    d, heads = patient.embedding_size, patient.heads
    k = d // heads
    for number, block in enumerate(patient.trunk.blocks):
        key = rng.key("mimetic", seed, number)
        queries, keys = [], []
        for head in range(heads):  # each of rank k: the leading singular vectors
            left, right = factors(rng.fold(key, 0, head), d, *QUERY_KEY)
            queries.append(left[:, :k].T)
            keys.append(right[:k])
        left, right = factors(rng.fold(key, 1), d, VALUE_OUT[0], -VALUE_OUT[1])
        # torch's linear layers are transposed: x Wᵀ
        block.attn.qkv.weight.copy_(torch.cat([*queries, *keys, left.T]))
        block.attn.proj.weight.copy_(right.T)
    positions = waves(patient.patches, d)
    patient.trunk.pos_embed.copy_(torch.cat([torch.zeros(1, d), positions])[None])
    return patient


def factors(key: Tensor, d: int, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """Left U√S and right √S Vᵀ of α Z + β I = U S Vᵀ, Z ~ N(0, 1/d): float (d, d) each."""
    noise = rng.normal(key, (d, d)) / math.sqrt(d)
    u, s, vt = torch.linalg.svd(alpha * noise + beta * torch.eye(d))
    return u * s.sqrt(), s.sqrt()[:, None] * vt


def waves(side: int, d: int) -> Tensor:
    """Sines and cosines of a patch's column and row, a quarter of the numbers each: float
    (side², d), d a multiple of 4."""
    speed = WAVELENGTH ** -(torch.arange(d // 4) / (d // 4))
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [place.flatten()[:, None] * speed for place in (column, row)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], 1)


def arms(encoder: Encoder, seed: int) -> Iterator[tuple[str, Encoder]]:
    """The untrained start of an encoder, and, where it has been trained, itself and what keeps a
    part of it; of a ViT also the start with mimetic attention. By name."""
    start = before_training(encoder, seed)
    yield "random", start
    if isinstance(start, ViT):
        yield "mimetic", mimetic(start, seed)
    both = zip(encoder.parameters(), start.parameters(), strict=True)
    if all(torch.equal(a, b) for a, b in both):
        return
    yield "trained", encoder
    for name, surgery in STATISTICS.items():
        yield name, operate(encoder, surgery, seed)
    if isinstance(encoder, SmallAlexNet) and isinstance(start, SmallAlexNet):
        for count in (1, 2, 3):
            yield f"first {count}", first_layers(encoder, start, count)
