"""Subtitles and captions: read, put in their place and written."""
