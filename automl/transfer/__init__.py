"""What a search takes over from an earlier one."""
