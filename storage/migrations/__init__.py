"""Alembic's migrations of the catalogue, run by `Database.migrate`."""
