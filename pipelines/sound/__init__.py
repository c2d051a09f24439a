"""Sound: tracks, channels, loudness, and the one command that encodes them."""
