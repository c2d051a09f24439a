"""Whether a rendition is what its plan says, read back by other tools."""
