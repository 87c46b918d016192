"""Running an exported student; never imports torch."""
