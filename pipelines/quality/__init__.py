"""Scores of renditions, and the CRF that gives a rung the score it asks for."""
