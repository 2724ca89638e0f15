"""Finds parameters for a rig and a scene, and says honestly what they gain."""
