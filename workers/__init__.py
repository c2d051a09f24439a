"""Dramatiq broker, actors and the step engine (claim, lease, retry, sweep)."""
