"""What one page alone needs: a module for a page or a subject, as in
``sl.book.pages.leaderboard.table(…)``.

The index: ``answer``, ``gallery``. Chapters of the noise paper: ``feature_vis``, ``properties``,
``lengths``, ``devices``, ``frames``. Text to image: ``captions``, ``guidance``, ``learned``,
``limits``. Beyond the papers: ``mixing``, ``programs``, ``memory``, ``private``, ``own_noise``.
Results: ``leaderboard``, ``claims``, ``costs``, ``benchmarks``, ``records``, ``scale``; ``stored``
says which committed runs they show.
"""

from . import (
    answer,
    benchmarks,
    captions,
    claims,
    costs,
    devices,
    feature_vis,
    frames,
    gallery,
    guidance,
    leaderboard,
    learned,
    lengths,
    limits,
    memory,
    mixing,
    own_noise,
    private,
    programs,
    properties,
    records,
    scale,
    stored,
)

__all__ = [
    "answer",
    "benchmarks",
    "captions",
    "claims",
    "costs",
    "devices",
    "feature_vis",
    "frames",
    "gallery",
    "guidance",
    "leaderboard",
    "learned",
    "lengths",
    "limits",
    "memory",
    "mixing",
    "own_noise",
    "private",
    "programs",
    "properties",
    "records",
    "scale",
    "stored",
]
