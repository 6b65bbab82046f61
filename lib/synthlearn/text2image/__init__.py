"""Text-to-image models as sources: images that are drawn for captions, several for each."""

from .captions import CAPTIONS, Captioned, Captions, captions_of, mutual_information
from .copies import nearest
from .gaussian import Gaussians
from .learned import Learned
from .mosaic import Mosaic
from .sampling import guided, integrate, noise_levels

__all__ = [
    "CAPTIONS",
    "Captioned",
    "Captions",
    "Gaussians",
    "Learned",
    "Mosaic",
    "captions_of",
    "guided",
    "integrate",
    "mutual_information",
    "nearest",
    "noise_levels",
]
