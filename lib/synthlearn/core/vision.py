"""The one place that imports torchvision.

torchvision's PyPI wheel is linked against CUDA torch. Beside a CPU-only torch its compiled
extension does not load, and the import fails because two operators have no schema. Declaring the
schemas first lets everything import that does not need them.
"""

import importlib.machinery
import importlib.util

import torch

_declared: list[torch.library.Library] = []  # a Library's definitions live as long as it does


def _extension_missing() -> bool:
    """True if torchvision's compiled operators cannot be loaded beside this torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return False  # let the import below report it
    extension = importlib.machinery.PathFinder.find_spec(
        "_C", list(spec.submodule_search_locations)
    )
    if extension is None or extension.origin is None:
        return True
    try:
        torch.ops.load_library(extension.origin)
    except OSError:
        return True
    return False


def declare_operators() -> None:
    """Give the operators of the missing extension their schemas, once."""
    if not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)


if _extension_missing():
    declare_operators()

import torchvision  # noqa: E402  (after the schemas)

__all__ = ["declare_operators", "torchvision"]
