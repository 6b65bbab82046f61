"""What chapters show: strict parameters, pictures, plots, tables and verdicts, from records.

At the bottom lie ``html`` and ``figures``, which know no study; above them ``captions``,
``published`` and ``sentences``; above those ``tables``, ``plots``, ``sheets``, ``verdicts`` and
``laws``, which every chapter uses, and ``pages``, a module for what one page alone needs.
"""

from ..study.jobs import baseline
from . import laws, pages
from .captions import provenance
from .comparisons import beside, differences, differences_figure, measured_pairs, pairs, tell_apart
from .figures import COLOURS, new, svg
from .html import folded, join, points, table
from .pages.stored import decides, one_protocol, ranked, stored, study_profile
from .parameters import parameters
from .plots import (
    ablation_figure,
    accuracy_figure,
    curves,
    lines_figure,
    styles,
    terms_figure,
    training,
    transfer_figure,
)
from .sentences import best, compare, compare_units, in_short, in_words, learned, way
from .sheets import contact_sheet, first_layer, grey, labelled, rows, sheet, slider, unit_sheets
from .sweeps import along, chosen, variants
from .tables import ablation, parts_table, results, sensitivity, transfer_groups, transfer_table
from .verdicts import verdict, verdicts

__all__ = [
    "COLOURS",
    "ablation",
    "ablation_figure",
    "accuracy_figure",
    "along",
    "baseline",
    "beside",
    "best",
    "chosen",
    "compare",
    "compare_units",
    "contact_sheet",
    "curves",
    "decides",
    "differences",
    "differences_figure",
    "first_layer",
    "folded",
    "grey",
    "in_short",
    "in_words",
    "join",
    "labelled",
    "laws",
    "learned",
    "lines_figure",
    "measured_pairs",
    "new",
    "one_protocol",
    "pages",
    "pairs",
    "parameters",
    "parts_table",
    "points",
    "provenance",
    "ranked",
    "results",
    "rows",
    "sensitivity",
    "sheet",
    "slider",
    "stored",
    "study_profile",
    "styles",
    "svg",
    "table",
    "tell_apart",
    "terms_figure",
    "training",
    "transfer_figure",
    "transfer_groups",
    "transfer_table",
    "unit_sheets",
    "variants",
    "verdict",
    "verdicts",
    "way",
]
