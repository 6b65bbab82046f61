"""What an encoder, or a set of images, is worth.

A measurement is a file that registers itself in :mod:`.base`, where its contract is: ``layers``,
``few_shot``, ``fine_tuning``, ``transfer`` (with ``tasks``), ``visual_memory`` (of :mod:`.memory`),
``private``, ``long_tail``, ``properties``, ``guidance`` (with ``fidelity``), which read features by
:mod:`.probe`, ``sl.probe``, whose solver is ``regression``; and ``denoising`` and ``robustness``
(with ``corruptions``), which train networks of their own. ``metrics`` are laws of single images,
``inception`` is an encoder of others' Fréchet distances.
"""
