"""One self-contained HTML page about a calibration: ``page`` puts the other rooms in order."""
