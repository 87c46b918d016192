"""Search small students, distil them from all teachers at once, and keep the Pareto front of what ships."""
