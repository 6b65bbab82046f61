"""Old names, for pages that are still to be moved."""

from .captions import base_of
from .captions import changes as changed
from .captions import encoder_title as titled
from .captions import intervals_over_encoders as over_encoders
from .plots import ablation_figure, lines_figure
from .tables import ablation, parts_table

__all__ = [
    "ablation",
    "ablation_figure",
    "base_of",
    "changed",
    "lines_figure",
    "over_encoders",
    "parts_table",
    "titled",
]
