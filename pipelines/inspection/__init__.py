"""One decode of a source, and everything that is seen and heard in it."""
