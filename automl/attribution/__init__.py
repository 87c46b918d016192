"""What each teacher contributed to a student."""
