"""Benchmarks against peers, run by `cheval bench NAME`."""
