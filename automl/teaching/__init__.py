"""Teachers made ready before a search, and what is kept of their answers."""
