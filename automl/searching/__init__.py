"""A search from its first proposal to its measured front."""
