"""Rules: what a claim asks of the records. An entry each, a class whose fields are what
``book/claims.toml`` says, and whose evidence is a function of what is known.

``of_runs`` asks runs, ``of_measurements`` further measurements; a file more is found by itself.
"""

from .base import RULES, Evidence, Known, Rule, rule

__all__ = ["RULES", "Evidence", "Known", "Rule", "rule"]
