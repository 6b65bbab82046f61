"""A small text tower: captions as words, words as vectors, a causal Transformer over them (the
shape of CLIP's, Radford et al. 2021)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import rng
from ..core.errors import ParameterError

# Chosen here: our captions have some words out of some dozens.
WIDTH = 128  # CLIP's 512
LAYERS = 2  # CLIP's 12
HEADS = 4  # CLIP's 8


def tokenise(texts: Sequence[str]) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Captions as numbers of words.

    Returns: int64 (captions, words of the longest), 0 after the end; the position of each last
    word, int64 (captions,); the words in order, of which number i + 1 is the i-th.
    Raises: ParameterError for no captions, or an empty one.

    >>> tokenise(["a red cat", "a dog"])[0].tolist()
    [[1, 4, 2], [1, 3, 0]]
    """
    captions = [text.split() for text in texts]
    if not captions or not all(captions):
        raise ParameterError(
            f"{len(captions)} captions, {sum(not words for words in captions)} of them empty: "
            "a text tower needs words"
        )
    vocabulary = tuple(sorted({word for words in captions for word in words}))
    number = {word: i + 1 for i, word in enumerate(vocabulary)}
    tokens = torch.zeros(len(captions), max(map(len, captions)), dtype=torch.int64)
    for row, words in zip(tokens, captions, strict=True):
        row[: len(words)] = torch.tensor([number[word] for word in words])
    return tokens, torch.tensor([len(words) - 1 for words in captions]), vocabulary


class _Block(nn.Module):
    """Attention to earlier words, then a perceptron on each; both on normalised input, both
    added."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.before(x)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        attention = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attention.transpose(1, 2).flatten(2))
        added: Tensor = self.narrow(functional.gelu(self.wide(self.between(x))))
        return x + added


class TextTower(nn.Module):
    """Vectors of captions: the Transformer's feature at the last word, mapped to ``size`` numbers
    without a bias.

    Args:
        texts: all captions there will be; a caption is then known by its number.
        size: of the vectors.
        seed: of the initial weights, CLIP's variances, by counter-based numbers.

    Raises: ParameterError for no captions, or an empty one.

    >>> TextTower(["a red cat", "a dog"], size=16)(torch.tensor([0, 1, 1])).shape
    torch.Size([3, 16])
    """

    tokens: Tensor
    last: Tensor

    def __init__(self, texts: Sequence[str], size: int = 128, seed: int = 0) -> None:
        super().__init__()
        tokens, last, vocabulary = tokenise(texts)
        self.register_buffer("tokens", tokens)
        self.register_buffer("last", last)
        self.words = nn.Embedding(len(vocabulary) + 1, WIDTH)
        self.places = nn.Parameter(torch.empty(tokens.shape[1], WIDTH))
        self.blocks = nn.ModuleList(_Block() for _ in range(LAYERS))
        self.norm, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, size, bias=False)
        self._initialise(seed)

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        # standard deviations, as in CLIP's code; of what adds to the stream, less with depth
        deep, usual = (2 * LAYERS * WIDTH) ** -0.5, WIDTH**-0.5
        scales = {
            "words": 0.02,
            "places": 0.01,
            "qkv": usual,
            "wide": (2 * WIDTH) ** -0.5,
            "out": usual,
            "narrow": deep,
        }
        for number, (name, p) in enumerate(self.named_parameters()):
            if p.ndim < 2:
                continue  # biases and norms keep torch's 0 and 1, set below
            part = next(s for s in reversed(name.split(".")) if s in scales)
            scale = deep if part == "out" and name.startswith("blocks") else scales[part]
            p.copy_(rng.normal(rng.key("text tower", seed, number), tuple(p.shape)) * scale)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                module.bias.zero_()

    def forward(self, captions: Tensor) -> Tensor:
        """Vectors (n, size), of any length, of captions by number, int64 (n,)."""
        x = self.words(self.tokens[captions]) + self.places
        for block in self.blocks:
            x = block(x)
        rows = torch.arange(len(captions), device=x.device)
        vectors: Tensor = self.out(self.norm(x[rows, self.last[captions]]))
        return vectors
