"""Ten seconds on a new card: what is missing, a graph, views, a step.

Nothing here stops what comes after it.
"""

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial

IMPORTED = ("numpy", "torch", "PIL", "safetensors", "scipy", "sklearn", "threadpoolctl", "tqdm")


def missing() -> list[str]:
    """Packages that the library imports and this Python has not."""
    return [name for name in IMPORTED if importlib.util.find_spec(name) is None]


def graph(device: str) -> str:
    """A tiny function, captured where graphs are, called twice."""
    import torch

    from synthlearn.core.graph import Replayed

    call = Replayed(lambda x: (2 * x,), tuple)
    sums = [float(call(torch.full((4,), x, device=device))[0].sum()) for x in (1.0, 3.0)]
    if sums != [8, 24]:
        raise ValueError(f"{sums} in place of [8, 24]")
    return "captured and replayed" if call.captured else "called plainly: there are no graphs here"


def views(device: str) -> str:
    """The views that training uses there against those of tensor operations."""
    import torch

    from synthlearn.core import kernels, rng
    from synthlearn.core.augment import Augmentation

    pictures = torch.randint(0, 256, (32, 3, 48, 48), dtype=torch.uint8, device=device)
    keys = rng.key("check", torch.arange(32), device=device)
    augmentation = Augmentation(32, 0.2)
    kernel = kernels.available(torch.device(device))
    made = augmentation.by_kernel(pictures, keys) if kernel else augmentation(pictures, keys)
    far = (made - augmentation.by_tensors(pictures, keys, subsets=False)).abs()
    if float(far.mean()) > 1e-3:
        raise ValueError(
            f"views differ by {float(far.mean()):.2g} on average, {float(far.max()):.2g} at most"
        )
    way = "the kernel" if kernel else "no kernel here: tensor operations"
    return f"{way}, which differs by {float(far.max()):.1g} at most"


def step(device: str) -> str:
    """A step of training."""
    from .engine import TINY, TINY_WORK, Bench, training_of

    values = training_of(Bench(device, TINY), TINY_WORK)[1]()
    if not bool(values.isfinite().all()):
        raise ValueError(f"losses {values.tolist()}")
    return f"loss {float(values[0]):.3f}"


def main() -> None:
    """Print a line per check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--missing",
        action="store_true",
        help="only name the packages that are missing, in one line",
    )
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    if args.missing:
        print(*missing())
        return
    checks: list[tuple[str, Callable[[], str]]] = [
        (check.__name__, partial(check, args.device)) for check in (graph, views, step)
    ]
    for name, check in checks:
        try:
            print(f"self-check, {name}: {check()}", flush=True)
        except Exception as error:
            print(f"self-check, {name}: FAILED, {type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
