"""A config brought to life, and held against its data and this machine."""
