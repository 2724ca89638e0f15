"""Many pairs through one pipeline."""
