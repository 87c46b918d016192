"""Objectives, the Pareto front, and how it is shown."""
