"""Catalogue, object store and settings: everything that outlives a process."""
