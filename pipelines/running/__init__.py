"""Media tools as confined, watched child processes, and what one process keeps for the next."""
