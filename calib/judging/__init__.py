"""How far a rig is to be trusted, and what went wrong."""
