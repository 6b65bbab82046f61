"""What chapters need: strict parameters, figures, tables and verdicts from records."""

from .chapter import accuracy_figure, baseline, first_layer, gains, law_table, laws, provenance, results, sensitivity, styles, table, training, verdicts
from .figures import contact_sheet, labelled, new, svg
from .leaderboard import (
    agreement,
    benchmark_figures,
    benchmark_tables,
    leaderboard,
    published_table,
    ranked,
    stored,
    stored_verdicts,
    thumbnails,
)
from .parameters import parameters

__all__ = [
    "accuracy_figure", "agreement", "baseline", "benchmark_figures", "benchmark_tables", "contact_sheet", "first_layer", "gains", "labelled",
    "law_table", "laws", "leaderboard", "new", "parameters", "provenance", "published_table", "ranked", "results", "sensitivity", "stored",
    "stored_verdicts", "styles", "svg", "table", "thumbnails", "training", "verdicts",
]  # fmt: skip
