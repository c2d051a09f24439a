"""The commands of `kapok`, one module a noun. Each imports what it needs when it runs."""
