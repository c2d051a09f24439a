"""Makes the sample clips on demand: deterministic and free of any licence."""
