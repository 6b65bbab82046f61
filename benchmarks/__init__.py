"""Speeds: ratios to reference loops, and the engine against the hardware."""
