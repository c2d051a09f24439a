"""The HTTP API: thin routers, auth, errors, events and the embedded object-store endpoint."""
