"""Pairs that do to their worker what real ones may; in a module of their own, for the workers."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from support import textured_pair

from stereo.frame import StereoFrame

Harm = Literal["none", "crash", "memory", "hang", "passing", "bug", "slow"]


@dataclass(frozen=True)
class HarmfulPair:
    """A pair that does harm while it is read; counts in a file how often that was tried."""

    name: str
    harm: Harm = "none"
    count: Path | None = None

    def read(self, *, swap: bool = False) -> StereoFrame:
        """See ``Pair``."""
        tries = 1
        if self.count is not None:
            with self.count.open("a") as file:
                file.write(".")
            tries = self.count.stat().st_size
        if self.harm == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.harm == "memory":
            hoard = np.ones(2_000_000_000 // 8)
            time.sleep(10)
            del hoard
        if self.harm == "hang":
            time.sleep(60)
        if self.harm == "slow":
            time.sleep(0.15)
        if self.harm == "passing" and tries < 3:
            raise TimeoutError("the file server did not answer")
        if self.harm == "bug":
            raise ZeroDivisionError("nobody thought of it")
        pair = textured_pair(6.0)
        return StereoFrame(pair.left, pair.right)

    def facts(self) -> dict[str, Any]:
        """See ``Pair``."""
        return {"name": self.name}

    def identity(self) -> list[Any]:
        """See ``Pair``."""
        return [self.name]
