"""synthlearn: pre-train vision encoders on images that no camera took, and measure what they learned."""

from . import generators
from .generators import generator
