"""What chapters need: strict parameters, figures, tables and verdicts from records."""

from .chapter import accuracy_figure, baseline, claim_table, first_layer, provenance, published, results, stored, table, training, verdicts
from .figures import contact_sheet, labelled, new, svg
from .parameters import parameters

__all__ = [
    "accuracy_figure", "baseline", "claim_table", "contact_sheet", "first_layer", "labelled", "new", "parameters", "provenance", "published", "results",
    "stored", "svg", "table", "training", "verdicts",
]  # fmt: skip
