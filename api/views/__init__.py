"""Rows and stored domain values turned into what the API sends."""
