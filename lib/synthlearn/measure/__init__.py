"""What an encoder, or a set of pictures, is worth.

A measurement is a file that registers itself in :mod:`.base`, where its contract is: ``layers``,
``few_shot``, ``fine_tuning``, ``transfer`` (with ``tasks``), ``visual_memory`` (of :mod:`.memory`),
``private``, ``long_tail``, ``properties``, ``guidance`` (with ``fidelity``). All read features by
:mod:`.probe`, which is ``sl.probe``; its solver is ``regression``. ``metrics`` are laws of single
pictures, ``inception`` is an encoder of others' Fréchet distances.
"""
