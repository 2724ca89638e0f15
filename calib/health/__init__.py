"""Is a rig still the one that was calibrated? Answered, and mended, from images without a board."""
