"""What one page alone needs: a module for a page or a subject, as in
``sl.book.pages.leaderboard.table(…)``.

The index: ``answer``, ``gallery``. Chapters of the noise paper: ``statistical``, ``stylegan``,
``fractals``, ``feature_vis``, ``properties``, ``lengths``, ``devices``, ``layers``,
``initialisation``. Text to image: ``captions``, ``guidance``, ``learned``, ``limits``. Beyond the
papers: ``mixing``, ``programs``, ``memory``, ``private``, ``own_noise``. Results: ``leaderboard``,
``claims``, ``costs``, ``benchmarks``, ``records``, ``scale``; ``stored`` says which committed runs
they show.

To play with: ``explorer``, ``guess``, ``live``.
"""

from . import (
    answer,
    benchmarks,
    captions,
    claims,
    costs,
    devices,
    explorer,
    feature_vis,
    fractals,
    gallery,
    guess,
    guidance,
    initialisation,
    layers,
    leaderboard,
    learned,
    lengths,
    limits,
    live,
    memory,
    mixing,
    own_noise,
    private,
    programs,
    properties,
    records,
    scale,
    statistical,
    stored,
    stylegan,
)

__all__ = [
    "answer",
    "benchmarks",
    "captions",
    "claims",
    "costs",
    "devices",
    "explorer",
    "feature_vis",
    "fractals",
    "gallery",
    "guess",
    "guidance",
    "initialisation",
    "layers",
    "leaderboard",
    "learned",
    "lengths",
    "limits",
    "live",
    "memory",
    "mixing",
    "own_noise",
    "private",
    "programs",
    "properties",
    "records",
    "scale",
    "statistical",
    "stored",
    "stylegan",
]
