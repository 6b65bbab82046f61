"""Encoders, losses, methods, and the one training step and loop, with its checkpoints."""
