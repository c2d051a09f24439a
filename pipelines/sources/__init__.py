"""What a source is: which files, tracks and programmes it holds, and which are taken."""
