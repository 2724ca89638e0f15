"""A running source: depth from it, and a calibration."""
