"""What chapters show: strict parameters, pictures, plots, tables and verdicts, from records.

At the bottom lie ``html`` and ``figures``, which know no study; above them ``captions`` and
``published``; above those ``tables``, ``plots``, ``sheets``, ``verdicts`` and ``laws``, which every
chapter uses, and ``pages``, a module for what one page alone needs.
"""

from ..study.jobs import baseline
from . import laws, pages
from .captions import provenance
from .figures import COLOURS, new, svg
from .html import table
from .leaderboard import (
    agreement,
    answer,
    benchmark_figures,
    benchmark_tables,
    claim_overview,
    claim_pages,
    costs,
    decides,
    engine_tables,
    gallery,
    leaderboard,
    machines,
    measurement_costs,
    one_protocol,
    published_table,
    ranked,
    stored,
    stored_table,
    study_profile,
    thumbnails,
)
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
from .record_list import measurement_table, record_table, search_table
from .sheets import contact_sheet, first_layer, grey, labelled, sheet, slider, unit_sheets
from .tables import ablation, gains, parts_table, results, sensitivity, transfer_table
from .verdicts import verdicts

__all__ = [
    "COLOURS",
    "ablation",
    "ablation_figure",
    "accuracy_figure",
    "agreement",
    "answer",
    "baseline",
    "benchmark_figures",
    "benchmark_tables",
    "claim_overview",
    "claim_pages",
    "contact_sheet",
    "costs",
    "curves",
    "decides",
    "engine_tables",
    "first_layer",
    "gains",
    "gallery",
    "grey",
    "labelled",
    "laws",
    "leaderboard",
    "lines_figure",
    "machines",
    "measurement_costs",
    "measurement_table",
    "new",
    "one_protocol",
    "pages",
    "parameters",
    "parts_table",
    "provenance",
    "published_table",
    "ranked",
    "record_table",
    "results",
    "search_table",
    "sensitivity",
    "sheet",
    "slider",
    "stored",
    "stored_table",
    "study_profile",
    "styles",
    "svg",
    "table",
    "terms_figure",
    "thumbnails",
    "training",
    "transfer_figure",
    "transfer_table",
    "unit_sheets",
    "verdicts",
]
