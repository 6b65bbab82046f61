"""Speeds as ratios to reference loops, measured in one run: ``python -m benchmarks``."""
