"""Renditions as HLS and DASH."""
