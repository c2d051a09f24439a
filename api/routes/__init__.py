"""Thin routers, one module a noun: check the right, call the catalogue, send a view."""
