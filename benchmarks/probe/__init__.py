"""Attacks on a server of its own, and what other people notice of them: python -m benchmarks.probe --help."""
