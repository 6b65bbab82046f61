"""What chapters need: strict parameters, figures, tables and verdicts from records."""

from .chapter import (
    accuracy_figure,
    baseline,
    check_table,
    first_layer,
    gains,
    law_table,
    laws,
    measure,
    provenance,
    results,
    sensitivity,
    styles,
    table,
    training,
    verdicts,
)
from .figures import COLOURS, contact_sheet, grey, labelled, new, svg
from .leaderboard import (
    agreement,
    benchmark_figures,
    benchmark_tables,
    costs,
    gallery,
    leaderboard,
    machines,
    published_table,
    ranked,
    stored,
    stored_verdicts,
    thumbnails,
)
from .parameters import parameters

__all__ = [
    "COLOURS", "accuracy_figure", "agreement", "baseline", "benchmark_figures", "benchmark_tables", "check_table", "contact_sheet", "costs",
    "first_layer", "gains", "gallery", "grey", "labelled", "law_table", "laws", "leaderboard", "machines", "measure", "new", "parameters", "provenance",
    "published_table", "ranked", "results", "sensitivity", "stored", "stored_verdicts", "styles", "svg", "table", "thumbnails", "training",
    "verdicts",
]  # fmt: skip
