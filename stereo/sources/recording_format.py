"""What a recording is: ``stereo.sources.record`` writes it, ``stereo.sources.recording`` plays it.

A recording is a folder::

    recording.json     what was recorded, by what, with which options
    rig.yaml           the calibration, where there is one
    index.jsonl        a line for each pair: number, times, files; only ever appended to
    frames/000000_left.png ...
"""

from __future__ import annotations

FORMAT = 1
"""The version that ``META`` names."""
META, INDEX, FRAMES, RIG = "recording.json", "index.jsonl", "frames", "rig.yaml"
"""Its files."""
