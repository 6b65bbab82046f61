"""Methods, a file for each family: what goes through which network, and the loss over it.

A further method is one more file here: a subclass of :class:`~.base.Method`, with the options it
takes, under the decorator ``@method("its_name")``. ``METHODS`` finds it by that name.
"""

from .align_uniform import AlignUniform
from .base import METHODS, Method, method, spec
from .contrastive import SimCLR, SupCon
from .moco import MoCo
from .stablerep import CLIP, StableRep, StableRepPlus
from .supervised import Supervised

__all__ = [
    "CLIP",
    "METHODS",
    "AlignUniform",
    "Method",
    "MoCo",
    "SimCLR",
    "StableRep",
    "StableRepPlus",
    "SupCon",
    "Supervised",
    "method",
    "spec",
]
