"""Scores of untrained students, and whether they are worth following."""
