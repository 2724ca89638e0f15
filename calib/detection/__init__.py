"""From an image of a board to its corners."""
