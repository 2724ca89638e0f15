"""The process that does what is dangerous: a question a line on stdin, an answer on stdout."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from faults.judging import judged, prepare
from faults.mutating import mutated
from faults.readers import READERS, command
from faults.samples import any_of, put


def fuzzed(folder: Path, name: str, seed: int) -> str:
    """Spoil one file of a sample and read it; what was wrong."""
    reader, rng = READERS[name], random.Random(f"{name} {seed}")
    sound = reader.samples()
    if not sound:
        return ""
    files = any_of(sound, rng)
    spoilt = rng.choice(list(files))
    files[spoilt] = mutated(files[spoilt], rng)
    shutil.rmtree(folder, ignore_errors=True)
    path = put(files, folder)
    wrong = judged(partial(reader.read, folder if reader.folder else path))
    return f"{spoilt}: {wrong}" if wrong else ""


def answer(folder: Path, question: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, in ``folder``."""
    match question["do"]:
        case "fuzz":
            return {"wrong": fuzzed(folder, question["reader"], question["seed"])}
        case "read":
            read = READERS[question["reader"]].read
            return {"wrong": judged(partial(read, Path(question["path"])))}
        case "command":
            return {"wrong": judged(partial(command, question["arguments"]))}
        case "live":
            from faults.live import lived

            return {"wrong": lived(question["fault"])}
        case _:
            return {"wrong": ""}


def main() -> None:
    """Answer until there are no more questions."""
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    os.chdir(folder)
    prepare()
    for line in sys.stdin:
        answers.write(json.dumps(answer(folder / "input", json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
