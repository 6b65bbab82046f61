"""Text-to-image models as sources: pictures that are drawn for captions, several for each."""

from .captions import CAPTIONS, Captioned, Captions, captions_of, mutual_information
from .mosaic import Mosaic, denoise

SOURCES = {"captioned": Captioned, "mosaic": Mosaic}

__all__ = ["CAPTIONS", "SOURCES", "Captioned", "Captions", "Mosaic", "captions_of", "denoise", "mutual_information"]
