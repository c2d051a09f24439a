"""What goes over the wire, one module a noun: rows and domain values are turned into these."""
