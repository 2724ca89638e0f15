"""From corners to a rig."""
