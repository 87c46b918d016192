"""One trial, start to end: data, task, losses, distilling, compressing, measuring."""
