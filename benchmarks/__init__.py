"""Side-by-side measurements, each a ratio from one interleaved run: `python -m benchmarks`."""
