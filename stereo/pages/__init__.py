"""HTML pages about results: one file a page; style and drawings are those of the calibration's."""
