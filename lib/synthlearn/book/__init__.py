"""What chapters need: strict parameters, figures, tables and verdicts from records."""

from .ablations import (
    ablation,
    ablation_figure,
    correlations,
    lines_figure,
    parts_table,
    properties_figure,
    properties_table,
    size_figure,
    transfer_figure,
    transfer_table,
)
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
    measurement_costs,
    published_table,
    ranked,
    stored,
    stored_verdicts,
    thumbnails,
)
from .parameters import parameters

__all__ = [
    "COLOURS", "ablation", "ablation_figure", "accuracy_figure", "agreement", "baseline", "benchmark_figures", "benchmark_tables", "check_table",
    "contact_sheet", "correlations", "costs", "first_layer", "gains", "gallery", "grey", "labelled", "law_table", "laws", "leaderboard",
    "lines_figure", "machines", "measure", "measurement_costs", "new", "parameters", "parts_table", "properties_figure", "properties_table", "provenance",
    "published_table", "ranked", "results", "sensitivity", "size_figure", "stored", "stored_verdicts", "styles", "svg", "table", "thumbnails",
    "training", "transfer_figure", "transfer_table", "verdicts",
]  # fmt: skip
