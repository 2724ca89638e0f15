"""The learned part of the matching cost: 40 filters whose signs describe a pixel.

``learned_code.json`` is what ``training/train.py`` wrote; docs/learned-cost.md tells how it was
trained. The environment variable STEREO_LEARNED_CODE names another such file, for judging weights
on scenes that they were not trained on.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError

CODE_BITS = 40
CODE_TAPS = 8
"""Terms of each bit, at most; see native/src/cost.hpp."""
WEIGHTS = Path(__file__).with_name("learned_code.json")


def learned_code() -> NDArray[np.int16]:
    """Return (CODE_BITS, CODE_TAPS, 3): column and row from the pixel, and weight, of each term.

    Raises MatcherError for a file of other weights that does not hold them.
    """
    return _read(Path(os.environ.get("STEREO_LEARNED_CODE") or WEIGHTS))


@cache
def _read(path: Path) -> NDArray[np.int16]:
    code = np.zeros((CODE_BITS, CODE_TAPS, 3), np.int16)
    try:
        filters = json.loads(path.read_text())["filters"]
        if len(filters) != CODE_BITS:
            raise ValueError(f"{len(filters)} filters")
        for taps, into in zip(filters, code, strict=True):
            into[: len(taps)] = np.reshape(taps, (-1, 3))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MatcherError(
            f"{path}: expected {CODE_BITS} filters of at most {CODE_TAPS} [column, row, weight], "
            f"but: {error!r}"
        ) from error
    code.flags.writeable = False
    return code
