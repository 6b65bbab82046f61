"""Generators of pictures that no camera took, one file per family."""

from .base import Generator, Options, default_options, generator, generator_class, names, register

__all__ = [
    "Generator",
    "Options",
    "default_options",
    "generator",
    "generator_class",
    "names",
    "register",
]
