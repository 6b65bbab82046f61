"""Multinomial logistic regression with an L2 penalty, solved to convergence: what a linear probe
is."""

from collections import deque
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional

# All chosen here. L-BFGS ends where no component of the gradient is larger,
GRADIENT = 1e-5
# or at a smaller relative decrease of the value: below it float32 sees only rounding,
DECREASE = 1e-8
# or after so many iterations.
ITERATIONS = 500
# Steps that it remembers.
HISTORY = 10
# A step is halved until the value falls by this part of its slope (Armijo's rule),
ARMIJO = 1e-4
# at most so often.
HALVINGS = 30
# Dimensions of a smaller standard deviation are dropped; it is also added to the others'.
LEAST_STD = 1e-6
# Axes of a smaller variance, in shares of the largest, are not spanned by the rows.
LEAST_VARIANCE = 1e-10

Solution = tuple[Tensor, Tensor]  # weights (d, classes) and bias (classes,), float32


class Standardiser:
    """z = (f − mean)/(std + 1e-6) with the statistics of training features float (n, d); dimensions
    with std below 1e-6 are dropped."""

    def __init__(self, train: Tensor) -> None:
        double = train.double()
        std = double.std(0, unbiased=False)
        self.keep = std >= LEAST_STD
        self.mean = double.mean(0)[self.keep].float()
        self.scale = (std[self.keep] + LEAST_STD).float()

    def __call__(self, x: Tensor) -> Tensor:
        """Standardised features: float (n, d) → float (n, kept)."""
        return (x[:, self.keep] - self.mean) / self.scale


class LogisticRegression:
    """Multinomial logistic regression with L2 on standardised features, for any strength.

    min over W, b of mean cross-entropy(Wz + b) + l2/2·‖W‖², b free. The penalty does not see a
    rotation, so features are turned into their principal axes and each axis is scaled by
    (variance/classes + l2)^−½, about the inverse root of the Hessian: the same minimum in some
    thirty L-BFGS steps in place of hundreds.

    Args:
        train: features, float (n, d). labels: int64 (n,), from 0 to classes − 1, on the same
        device.
    """

    def __init__(self, train: Tensor, labels: Tensor, classes: int) -> None:
        self.standardise = Standardiser(train)
        z = self.standardise(train)
        variance, axes = _principal(z.double())
        self.variance = variance.clamp_min(0).float()
        self.axes = axes.float()
        self.z = z @ self.axes
        self.labels = labels
        self.classes = classes

    def fit(self, l2: float, start: Solution | None = None) -> Solution:
        """Weights in the principal axes and bias, from zero or from another solution."""
        scale = (self.variance / self.classes + l2).rsqrt()[:, None]
        z = self.z * scale.T
        n, d = self.z.shape
        rows = torch.arange(n, device=z.device)

        def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
            parameters = torch.from_numpy(flat).float().to(z.device).view(d + 1, self.classes)
            scaled, bias = parameters[:-1], parameters[-1]
            logits = torch.addmm(bias, z, scaled)
            log_p = logits.log_softmax(1)
            cross_entropy = -log_p[rows, self.labels].double().mean()
            loss = cross_entropy + l2 / 2 * (scaled * scale).double().square().sum()
            residual = log_p.exp_()
            residual[rows, self.labels] -= 1
            residual /= n
            of_weights = torch.addmm(l2 * scale.square() * scaled, z.T, residual)
            gradient = torch.cat((of_weights, residual.sum(0, keepdim=True)))
            return float(loss), gradient.double().cpu().numpy().ravel()

        flat = np.zeros((d + 1) * self.classes)
        if start is not None:
            weight, bias = start
            flat = torch.cat((weight / scale, bias[None])).double().cpu().numpy().ravel()
        options = {"maxiter": ITERATIONS, "maxcor": HISTORY, "gtol": GRADIENT, "ftol": DECREASE}
        # L-BFGS's own vectors are short: threads only get in the way
        with threadpool_limits(1, user_api="blas"):
            flat = minimize(value, flat, jac=True, method="L-BFGS-B", options=options).x
        parameters = torch.from_numpy(flat).float().to(z.device).view(d + 1, self.classes)
        return parameters[:-1] * scale, parameters[-1]

    def predict(self, features: Tensor, solution: Solution) -> Tensor:
        """Most likely class of raw features (n, d): int64 (n,)."""
        weight, bias = solution
        return torch.addmm(bias, self.standardise(features), self.axes @ weight).argmax(1)


class CholeskyRegression:
    """The minimum of :class:`LogisticRegression`, found without leaving the features' device, in
    float64.

    L-BFGS from the identity takes the same steps after any rotation, so the principal axes are not
    needed: any P with P·Pᵀ = (zᵀz/(n·classes) + l2)⁻¹ serves as well, such as the inverse of a
    Cholesky factor: milliseconds on a GPU. In float32 the gradient's rounding errors, which P
    enlarges by up to l2^−½, would hide the minimum of a weak penalty.
    """

    def __init__(self, train: Tensor, labels: Tensor, classes: int) -> None:
        self.standardise = Standardiser(train)
        self.z = self.standardise(train).double()
        self.classes = classes
        self.gram = self.z.T @ self.z / len(self.z)
        self.target = functional.one_hot(labels, classes).double()

    def fit(self, l2: float, start: Solution | None = None) -> Solution:
        """Weights of standardised features and bias, from zero or from another solution."""
        z, k = self.z, self.classes
        n, d = z.shape
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

    def predict(self, features: Tensor, solution: Solution) -> Tensor:
        """Most likely class of raw features (n, d): int64 (n,)."""
        weight, bias = solution
        return torch.addmm(bias, self.standardise(features), weight).argmax(1)


def regression_for(
    train: Tensor, labels: Tensor, classes: int
) -> LogisticRegression | CholeskyRegression:
    """The regression by the way that suits the features' device: the one place where it is chosen.

    On a GPU an eigendecomposition takes seconds, and a trip of the gradient to the host stops it.
    Arguments as of :class:`LogisticRegression`, but labels may be on any device.
    """
    kind = CholeskyRegression if train.is_cuda else LogisticRegression
    return kind(train, labels.to(train.device), classes)


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
            reached = float(loss)
            if reached <= least + ARMIJO * slope:
                break
            step, slope = step / 2, slope / 2
        else:
            break  # no lower point within rounding
        steps.append(step)
        changes.append(new - gradient)
        x, least, gradient = x + step, reached, new
    return x


def _direction(products: np.ndarray) -> np.ndarray:
    """Shares (2m + 1,) of m steps, m changes of the gradient and the gradient in L-BFGS's
    direction, from their inner products (2m + 1, 2m + 1). Nocedal and Wright, algorithm 7.4."""
    m = len(products) // 2
    shares = np.zeros(2 * m + 1)
    alpha = np.zeros(m)
    shares[-1] = -1
    for i in reversed(range(m)):
        alpha[i] = shares @ products[i] / products[i, m + i]
        shares[m + i] -= alpha[i]
    if m:
        shares *= products[m - 1, 2 * m - 1] / products[2 * m - 1, 2 * m - 1]
    for i in range(m):
        shares[i] += alpha[i] - shares @ products[m + i] / products[i, m + i]
    return shares


def _principal(z: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (r,) and axes (d, r) of float64 (n, d); with fewer rows than dimensions only the
    axes that the rows span, where any solution lies."""
    n, d = z.shape
    if n >= d:
        variance, axes = torch.linalg.eigh(z.T @ z / n)
        return variance, axes
    variance, u = torch.linalg.eigh(z @ z.T / n)
    kept = variance > LEAST_VARIANCE * variance.max()
    variance = variance[kept]
    return variance, z.T @ (u[:, kept] / (n * variance).sqrt())
