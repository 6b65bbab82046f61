"""Measurement on labelled real images: frozen features, a converged linear probe, nearest neighbours."""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from ..core import rng
from ..core.errors import CheckpointError, DataError, ParameterError
from ..core.image import resize
from ..data.datasets import ImageSet, agree
from ..learn.encoders import Encoder

RESIZE = (
    70 / 64
)  # test pictures are resized to this multiple of the crop, whose centre is then taken (authors' code)
L2_GRID = (
    1e-1,
    1e-2,
    1e-3,
    1e-4,
    1e-5,
    1e-6,
)  # from strong to weak, each fit from the last one, until a weaker one is no better
EXTENSION = (1e-8, 1e-7, 1.0, 10.0)  # tried in addition when the best is at an end
HELD_OUT = 0.2  # of train, stratified, on which L2 is chosen
DEFAULT_L2 = 1e-1  # where no class has two examples, so that nothing can be held out
NOT_CHOSEN = f"no class has two training examples, so L2 is not chosen but {DEFAULT_L2:g}"
GRADIENT, DECREASE, ITERATIONS, HISTORY = (
    1e-5,
    1e-8,
    500,
    10,
)  # below a relative decrease of 1e-8 float32 sees only rounding
ARMIJO, HALVINGS = 1e-4, 30  # a step is halved until the value falls by this part of its slope
NEIGHBOURS, TEMPERATURE = 20, 0.07
BATCH = 500
SLAB = 20 * BATCH  # images that go to the device at once: the host waits for each copy


@dataclass(frozen=True)
class Measured:
    """One accuracy: top-1 in [0, 1] on n test images, which of them were right (bool (n,)), the L2
    where there was one, and what to know of it, in words, where there is something."""

    top1: float
    correct: Tensor
    l2: float | None = None
    note: str | None = None


def centre_view(images: Tensor, size: int) -> Tensor:
    """uint8 (n, 3, h, w) → uint8 (n, 3, size, size): antialiased resize to size·70/64, centre crop."""
    large = round(size * RESIZE)
    margin = round((large - size) / 2)
    return resize(images, large)[..., margin : margin + size, margin : margin + size]


def batches(encoder: Encoder, images: Tensor) -> Iterator[Tensor]:
    """Normalised float views of the encoder's input size, by batches, on the encoder's device."""
    device = next(encoder.parameters()).device
    mean, std = (torch.tensor(c, device=device).view(3, 1, 1) for c in encoder.normalisation)
    size = encoder.options["input_size"]
    for start in range(0, len(images), SLAB):
        for part in images[start : start + SLAB].to(device).split(BATCH):
            x = centre_view(part, size).float().div_(255)
            yield ((x - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def features(encoder: Encoder, images: Tensor, taps: tuple[str, ...]) -> dict[str, Tensor]:
    """Frozen features of uint8 (n, 3, h, w): tap → float32 (n, d) on the encoder's device.

    The encoder is put in eval mode. Raises: DataError for no images; CheckpointError for features
    that are not finite.
    """
    if not len(images):
        raise DataError("no images to take features of; give at least one")
    encoder.eval()
    parts = [encoder.features(x, taps) for x in batches(encoder, images)]
    return {tap: finite(torch.cat([part[tap].float() for part in parts]), tap) for tap in taps}


def finite(features: Tensor, tap: str) -> Tensor:
    """The features of a layer as they are. Raises CheckpointError where one is NaN or infinite."""
    if not bool(torch.isfinite(features).all()):
        raise CheckpointError(
            f"features of the encoder's layer {tap!r} are NaN or infinite: its weights or statistics "
            f"are broken; give another encoder, or train it again with a lower lr"
        )
    return features


@torch.no_grad()
def reestimated(encoder: Encoder, images: Tensor) -> Encoder:
    """A copy whose batch-norm statistics are those of uint8 ``images`` (mean over batches of 500), in place of those of pre-training. No labels are used."""
    fresh = copy.deepcopy(encoder).train()
    norms = [m for m in fresh.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
    for number, x in enumerate(batches(fresh, images), 1):
        if len(x) > 1:
            for norm in norms:
                norm.momentum = 1 / number  # a plain average; None reads the device's counter
            fresh(x)
    return fresh.eval()


def raw_pixels(images: Tensor, size: int) -> Tensor:
    """Pixels of the centre view as features, float32 (n, 3·size²)."""
    return centre_view(images, size).flatten(1).float() / 255


def mean_colours(images: Tensor) -> Tensor:
    """Mean red, green, blue, float32 (n, 3)."""
    return images.float().mean((2, 3)) / 255


def held_out(labels: Tensor, seed: int) -> Tensor:
    """A stratified fifth of the training labels (n,), as bool (n,): a function of the labels and the seed."""
    labels = labels.cpu()
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for c in labels.unique().tolist():
        members = torch.nonzero(labels == c).flatten()
        shuffled = members[rng.permutation(rng.key("held-out", seed, c), len(members))]
        chosen[shuffled[: max(1, round(HELD_OUT * len(members)))]] = len(members) > 1
    return chosen


class Standardise:
    """z = (f − mean)/(std + 1e-6) with training statistics; dimensions with std below 1e-6 are dropped."""

    def __init__(self, train: Tensor) -> None:
        double = train.double()
        std = double.std(0, unbiased=False)
        self.keep = std >= 1e-6
        self.mean, self.scale = double.mean(0)[self.keep].float(), (std[self.keep] + 1e-6).float()

    def __call__(self, x: Tensor) -> Tensor:
        """Standardised features: float (n, d) → float (n, kept)."""
        return (x[:, self.keep] - self.mean) / self.scale


class Problem:
    """Multinomial logistic regression with L2 on standardised features, solved to convergence for any strength.

    min over W, b of mean cross-entropy(Wz + b) + l2/2·‖W‖², b free. The penalty does not see a rotation, so features are turned
    into their principal axes and each axis is scaled by (variance/classes + l2)^−½, about the inverse root of the Hessian:
    the same minimum in some thirty L-BFGS steps in place of hundreds.
    """

    def __init__(self, train: Tensor, labels: Tensor, classes: int) -> None:
        self.standardise = Standardise(train)
        z = self.standardise(train)
        variance, axes = _principal(z.double())
        self.variance, self.axes = variance.clamp_min(0).float(), axes.float()
        self.z, self.labels, self.classes = z @ self.axes, labels, classes

    def fit(self, l2: float, start: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Weights (d, classes) in the principal axes and bias (classes,), float32, from zero or from another solution."""
        scale = (self.variance / self.classes + l2).rsqrt()[:, None]
        z, (n, d), k = self.z * scale.T, self.z.shape, self.classes
        rows = torch.arange(n, device=z.device)

        def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
            parameters = torch.from_numpy(flat).float().to(z.device).view(d + 1, k)
            scaled, bias = parameters[:-1], parameters[-1]
            logits = torch.addmm(bias, z, scaled)
            log_p = logits.log_softmax(1)
            loss = (
                -log_p[rows, self.labels].double().mean()
                + l2 / 2 * (scaled * scale).double().square().sum()
            )
            residual = log_p.exp_()
            residual[rows, self.labels] -= 1
            residual /= n
            gradient = torch.cat(
                (
                    torch.addmm(l2 * scale.square() * scaled, z.T, residual),
                    residual.sum(0, keepdim=True),
                )
            )
            return float(loss), gradient.double().cpu().numpy().ravel()

        flat = (
            np.zeros((d + 1) * k)
            if start is None
            else torch.cat((start[0] / scale, start[1][None])).double().cpu().numpy().ravel()
        )
        options = {"maxiter": ITERATIONS, "maxcor": HISTORY, "gtol": GRADIENT, "ftol": DECREASE}
        with threadpool_limits(
            1, user_api="blas"
        ):  # L-BFGS's own vectors are short: threads only get in the way
            flat = minimize(value, flat, jac=True, method="L-BFGS-B", options=options).x
        parameters = torch.from_numpy(flat).float().to(z.device).view(d + 1, k)
        return parameters[:-1] * scale, parameters[-1]

    def predict(self, features: Tensor, solution: tuple[Tensor, Tensor]) -> Tensor:
        """Most likely class of raw features (n, d): int64 (n,)."""
        weight, bias = solution
        return torch.addmm(bias, self.standardise(features), self.axes @ weight).argmax(1)


class CholeskyProblem:
    """The minimum of :class:`Problem`, found without leaving the features' device, in float64.

    L-BFGS from the identity takes the same steps after any rotation, so the principal axes are not
    needed: any P with P·Pᵀ = (zᵀz/(n·classes) + l2)⁻¹ serves as well, such as the inverse of a
    Cholesky factor: milliseconds on a GPU. In float32 the gradient's rounding errors, which P
    enlarges by up to l2^−½, would hide the minimum of a weak penalty.
    """

    def __init__(self, train: Tensor, labels: Tensor, classes: int) -> None:
        self.standardise = Standardise(train)
        self.z, self.classes = self.standardise(train).double(), classes
        self.gram = self.z.T @ self.z / len(self.z)
        self.target = functional.one_hot(labels, classes).double()

    def fit(self, l2: float, start: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Weights (d, classes) of standardised features and bias (classes,), float32, from zero or
        from another solution."""
        z, (n, d), k = self.z, self.z.shape, self.classes
        eye = torch.eye(d, dtype=z.dtype, device=z.device)
        factor = torch.linalg.cholesky(self.gram / k + l2 * eye)
        p = torch.linalg.solve_triangular(factor, eye, upper=False).T

        def unscaled(x: Tensor) -> tuple[Tensor, Tensor]:
            weight, bias = x.split((d, 1))
            return p @ weight, k**0.5 * bias.squeeze(0)

        def value(x: Tensor) -> tuple[Tensor, Tensor]:
            weight, bias = unscaled(x)
            log_p = torch.addmm(bias, z, weight).log_softmax(1)
            loss = l2 / 2 * weight.square().sum() - (self.target * log_p).sum() / n
            residual = (log_p.exp_() - self.target).div_(n)
            gradient = p.T @ torch.addmm(l2 * weight, z.T, residual)
            return loss, torch.cat((gradient, k**0.5 * residual.sum(0, keepdim=True)))

        x = z.new_zeros(d + 1, k)
        if start is not None:
            weight, bias = start[0].double(), start[1].double()
            x = torch.cat((factor.T @ weight, bias.unsqueeze(0) / k**0.5))
        weight, bias = unscaled(minimise(value, x))
        return weight.float(), bias.float()

    def predict(self, features: Tensor, solution: tuple[Tensor, Tensor]) -> Tensor:
        """Most likely class of raw features (n, d): int64 (n,)."""
        weight, bias = solution
        return torch.addmm(bias, self.standardise(features), weight).argmax(1)


def minimise(value: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
    """Where a strictly convex function is least, by L-BFGS from float64 x (a, b), on its device.

    The two loops run on inner products of the last steps and changes of the gradient (Chen, Wang
    and Zhou 2014, "Large-scale L-BFGS using MapReduce"), so the host reads twice an iteration: the
    products, and the new value. A step of 1 is halved until the value falls enough; convexity makes
    a search for the slope needless. Ends when −slope is below DECREASE of the value, which has to
    be positive.

    Args:
        value: of a point (a, b): the function, a scalar, and its gradient (a, b).
    """
    loss, gradient = value(x)
    least = float(loss)
    steps: deque[Tensor] = deque(maxlen=HISTORY)
    changes: deque[Tensor] = deque(maxlen=HISTORY)
    for _ in range(ITERATIONS):
        basis = torch.stack((*steps, *changes, gradient), 1)
        # row by row: one product of a few very long vectors would leave most of a GPU idle
        products = (basis @ basis.mT).sum(0).cpu().numpy()
        shares = _direction(products)
        slope = float(shares @ products[-1])
        if -slope <= DECREASE * least:
            break
        step = torch.from_numpy(shares).to(x.device) @ basis
        for _ in range(HALVINGS):
            loss, new = value(x + step)
            found = float(loss)
            if found <= least + ARMIJO * slope:
                break
            step, slope = step / 2, slope / 2
        else:
            break  # no lower point within rounding
        steps.append(step)
        changes.append(new - gradient)
        x, least, gradient = x + step, found, new
    return x


def _direction(products: np.ndarray) -> np.ndarray:
    """Shares (2m + 1,) of m steps, m changes of the gradient and the gradient in L-BFGS's
    direction, from their inner products (2m + 1, 2m + 1). Nocedal and Wright, algorithm 7.4."""
    m = len(products) // 2
    shares, alpha = np.zeros(2 * m + 1), np.zeros(m)
    shares[-1] = -1
    for i in reversed(range(m)):
        alpha[i] = shares @ products[i] / products[i, m + i]
        shares[m + i] -= alpha[i]
    if m:
        shares *= products[m - 1, 2 * m - 1] / products[2 * m - 1, 2 * m - 1]
    for i in range(m):
        shares[i] += alpha[i] - shares @ products[m + i] / products[i, m + i]
    return shares


def problem(train: Tensor, labels: Tensor, classes: int) -> Problem | CholeskyProblem:
    """The problem by the way that suits the features' device: the one place where it is chosen.

    On a GPU an eigendecomposition takes seconds, and a trip of the gradient to the host stops it.
    """
    return (CholeskyProblem if train.is_cuda else Problem)(train, labels.to(train.device), classes)


def _principal(z: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (r,) and axes (d, r) of float64 (n, d); with fewer rows than dimensions only the axes that the rows span, where any solution lies."""
    n, d = z.shape
    if n >= d:
        return torch.linalg.eigh(z.T @ z / n)
    variance, u = torch.linalg.eigh(z @ z.T / n)
    kept = variance > 1e-10 * variance.max()
    variance = variance[kept]
    return variance, z.T @ (u[:, kept] / (n * variance).sqrt())


def choose_l2(train: Tensor, labels: Tensor, classes: int, seed: int) -> float:
    """The strength with the best accuracy on a held-out fifth of train; the grid is extended when the
    best is at its end. DEFAULT_L2 where no class has two examples: then nothing can be held out."""
    apart, labels = held_out(labels, seed).to(train.device), labels.to(train.device)
    if not bool(apart.any()):
        return DEFAULT_L2
    inner = problem(train[~apart], labels[~apart], classes)
    test, truth = train[apart], labels[apart]
    accuracy: dict[float, float] = {}

    def search(grid: Iterable[float]) -> None:
        solution = None
        for l2 in sorted(grid, reverse=True):
            solution = inner.fit(l2, solution)
            score = float((inner.predict(test, solution) == truth).float().mean())
            worse = bool(accuracy) and score <= max(accuracy.values())
            accuracy[l2] = score
            if worse:
                break

    def best() -> float:
        return max(accuracy, key=lambda l2: (accuracy[l2], l2))

    search(L2_GRID)
    if best() == max(L2_GRID):
        search(v for v in EXTENSION if v > max(L2_GRID))
    elif best() == min(L2_GRID):
        search(v for v in EXTENSION if v < min(L2_GRID))
    return best()


def linear(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    seed: int = 0,
    l2: float | None = None,
) -> Measured:
    """Linear probe on fixed features: L2 chosen on a held-out fifth of train, refitted on all of it, tested once.

    Args:
        train, test: float (n, d), on one device. train_labels, test_labels: int64 (n,), on any.
        seed: of the held-out part.
        l2: a strength chosen before, in place of the choice on the held-out fifth.

    Raises: DataError for sizes that disagree, labels of no class, fewer than two classes or
    features that are not finite.
    """
    check(train, train_labels, test, test_labels, classes)
    chosen = choose_l2(train, train_labels, classes, seed) if l2 is None else l2
    whole = problem(train, train_labels, classes)
    correct = (whole.predict(test, whole.fit(chosen)) == test_labels.to(test.device)).cpu()
    alone = int(torch.bincount(train_labels).max()) < 2
    return Measured(float(correct.double().mean()), correct, chosen, NOT_CHOSEN if alone else None)


def check(x: Tensor, labels: Tensor, test: Tensor, truth: Tensor, classes: int) -> None:
    """Raise DataError unless these can be learned from and tested on: float (n, d), int64 (n,)."""
    if len(x) != len(labels) or len(test) != len(truth) or len(x) < 2 or not len(test):
        raise DataError(
            f"probe: {len(x)} features for {len(labels)} labels, {len(test)} for {len(truth)}: must agree, with at least 2 for training and 1 for testing"
        )
    every = torch.cat((labels, truth.to(labels.device)))
    if int(every.min()) < 0 or int(every.max()) >= classes:
        wrong = every[(every < 0) | (every >= classes)][0]
        raise DataError(
            f"probe: label {int(wrong)} of {classes} classes: must be from 0 to {classes - 1}"
        )
    if len(found := labels.unique()) < 2:
        raise DataError(
            f"probe: all {len(labels)} training images are of class {int(found[0])}: nothing to tell apart; give images of at least two classes"
        )
    if not bool(torch.isfinite(x).all()) or not bool(torch.isfinite(test).all()):
        raise DataError("probe: features hold NaN or infinity; give another encoder")


def neighbours(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    k: int = NEIGHBOURS,
) -> Measured:
    """k nearest neighbours by cosine, all where there are fewer, votes weighted exp(similarity/0.07).

    Arguments and errors as in :func:`linear`; ParameterError for k below 1.
    """
    if k < 1:
        raise ParameterError(f"k = {k}: must be at least 1 neighbour")
    check(train, train_labels, test, test_labels, classes)
    memory = functional.normalize(train, dim=1)
    votes = functional.one_hot(train_labels.to(train.device), classes).float()
    found = []
    for part in functional.normalize(test, dim=1).split(BATCH):
        similarity, index = (part @ memory.T).topk(min(k, len(memory)), 1)
        weight = (similarity / TEMPERATURE).exp()
        found.append((votes[index] * weight[..., None]).sum(1).argmax(1))
    correct = (torch.cat(found) == test_labels.to(test.device)).cpu()
    return Measured(float(correct.double().mean()), correct)


def measure(
    encoder: Encoder, train: ImageSet, test: ImageSet, seed: int = 0
) -> dict[str, Measured]:
    """The study's measurements of an encoder: linear on each tap (fc6, fc7), kNN on the first, and linear on the first with batch norm re-estimated.

    Raises: DataError for sets that do not number the same classes.
    """
    agree(train, test)
    taps = tuple(tap for tap in ("fc6", "fc7", "pooled") if tap in encoder.taps)
    device = next(encoder.parameters()).device
    labels, truth, classes = train.labels.to(device), test.labels.to(device), len(train.classes)

    def read(
        model: Encoder, chosen: tuple[str, ...]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        return features(model, train.images, chosen), features(model, test.images, chosen)

    a, b = read(encoder, taps)
    results = {
        f"{tap}_linear": linear(a[tap], labels, b[tap], truth, classes, seed) for tap in taps
    }
    results[f"{taps[0]}_knn"] = neighbours(a[taps[0]], labels, b[taps[0]], truth, classes)
    if "fc6" in taps:
        a, b = read(reestimated(encoder, train.images), ("fc6",))
        results["fc6_linear_bn"] = linear(
            a["fc6"], labels, b["fc6"], truth, classes, seed, results["fc6_linear"].l2
        )
    return results
