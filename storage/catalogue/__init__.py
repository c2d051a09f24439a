"""Every change of state, one module a noun; each change appends its event."""
