"""One module a kind of step: what it fetches, which pipeline it runs, what it stores."""
