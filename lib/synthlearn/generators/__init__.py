"""Generators of images that no camera took: one file per family, one registry of their names.

``generator(name, **options).sample(indices)`` gives images; ``names()`` says which there are.
A further family is a file here, or a module of another package: a subclass of ``Generator`` with
its ``Options``, under ``register(name)``.
"""

from .base import Generator, Options
from .registry import default_options, generator, generator_class, names, register

__all__ = [
    "Generator",
    "Options",
    "default_options",
    "generator",
    "generator_class",
    "names",
    "register",
]
