"""How right is it? Against truth."""
