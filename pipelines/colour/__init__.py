"""Colour: what a source has, how one kind becomes another, and by which formula."""
