"""What is read and written: images, maps, clouds, and how files are paired."""
