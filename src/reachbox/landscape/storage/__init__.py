"""What was found, and the files that keep it."""
