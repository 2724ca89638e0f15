"""What may go wrong, tried: `make faults`. A room for each kind; see docs/contributing.md.

``judging`` says what surviving means and ``asking`` asks it of workers, processes that may hang or
crash; ``samples`` and ``readers`` are what can be read and by whom, ``mutating`` spoils it and
``fuzzing`` does so for minutes, ``bombs`` are files that mean harm. ``kills``, ``disks`` and
``live`` break whole commands and sources.
"""
