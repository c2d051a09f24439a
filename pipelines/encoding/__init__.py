"""Pictures into renditions: parts of a source, encodes of all rungs, and their join."""
