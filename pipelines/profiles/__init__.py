"""Profiles and ladders: TOML data, what it may say, and what of it this machine can do."""
