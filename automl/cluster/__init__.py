"""Ray, and what runs on its workers."""
