"""The plan of a job and what it is going to take. Pure."""
