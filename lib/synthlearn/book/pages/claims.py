"""The claims' page: all of them at a glance, and each paper's with its evidence."""

from ...study import claims
from ..html import Html
from ..verdicts import claim_table


def overview() -> Html:
    """All claims and their verdicts, without the evidence."""
    return claim_table(claims.verdicts(), evidence=False)


def of_paper(paper: str) -> Html:
    """The claims of one paper (a key of ``study.claims.PAPERS``) with all evidence."""
    return claim_table([claim for claim in claims.verdicts() if claim.paper == paper])
