"""A loaded network: onnxruntime with the processor that was asked for, its times, its errors.

Loading takes seconds and memory, so the last few are kept: whoever names the same file with the
same settings gets the same session, which any number of threads may run.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError, MissingLibraryError
from stereo.networks.modelfile import ModelFile, read_model_file

PROVIDERS = {
    "cpu": ("CPUExecutionProvider", "onnxruntime"),
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "tensorrt": ("TensorrtExecutionProvider", "onnxruntime-gpu"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "directml": ("DmlExecutionProvider", "onnxruntime-directml"),
    "coreml": ("CoreMLExecutionProvider", "onnxruntime"),
}
"""name -> onnxruntime's name, and the build that has it."""
_KEPT = 4
_RECENT = 60


class Network:
    """A network that can be run."""

    def __init__(self, file: ModelFile, provider: str, threads: int) -> None:
        self.file, self.note = file, ""
        """``note``: what did not go as asked, in words; empty: all did."""
        began = time.perf_counter()
        self._session = self._started(provider, threads)
        self.load_s = time.perf_counter() - began
        """What loading took, seconds."""
        self.first_s = 0.0
        """What the first run took, seconds."""
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._counting = threading.Lock()

    @property
    def inputs(self) -> list[Any]:
        """Each with ``name``, ``shape`` and ``type``."""
        return list(self._session.get_inputs())

    @property
    def outputs(self) -> list[Any]:
        """Each with ``name``, ``shape`` and ``type``."""
        return list(self._session.get_outputs())

    @property
    def provider(self) -> str:
        """What runs it, by onnxruntime's name."""
        return str(self._session.get_providers()[0])

    @property
    def steady_s(self) -> float:
        """Median of the last runs without the first, seconds; NaN before there are any."""
        with self._counting:
            return statistics.median(self._recent) if self._recent else float("nan")

    @property
    def times(self) -> dict[str, Any]:
        """What it took so far, for JSON."""
        return {
            "model": str(self.file.path),
            "provider": self.provider,
            "load_s": self.load_s,
            "first_s": self.first_s,
            "steady_s": self.steady_s,
        }

    @property
    def times_in_words(self) -> str:
        """The same in a line."""
        runner = self.provider.removesuffix("ExecutionProvider")
        steady = self.steady_s
        then = "" if math.isnan(steady) else f", then {1000 * steady:.1f} ms"
        return (
            f"{self.file.path.name} on the {runner}: loaded in {1000 * self.load_s:.0f} ms, first "
            f"run {1000 * self.first_s:.1f} ms{then}"
        )

    def run(self, feeds: Mapping[str, NDArray[Any]], names: list[str]) -> list[NDArray[Any]]:
        """Return these outputs. Raises MatcherError with onnxruntime's own words."""
        began = time.perf_counter()
        try:
            found = self._session.run(names, dict(feeds))
        except Exception as error:  # onnxruntime has a class for each of its codes
            sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in feeds.items())
            raise MatcherError(
                f"{self.file.path}: the network failed on {sizes}: {_words(error)}"
            ) from error
        took = time.perf_counter() - began
        with self._counting:
            if self.first_s:
                self._recent.append(took)
            else:
                self.first_s = took
        return [np.asarray(array) for array in found]

    def _started(self, provider: str, threads: int) -> Any:
        ort = _onnxruntime()
        wanted, build = PROVIDERS[provider]
        if wanted not in ort.get_available_providers():
            raise MissingLibraryError(
                f"provider {provider!r} is not in the onnxruntime that is installed; it comes with "
                f"pip install {build}, in place of onnxruntime"
            )
        cpu = PROVIDERS["cpu"][0]
        try:
            session = self._session_on([*dict.fromkeys((wanted, cpu))], threads)
        except Exception as error:
            if wanted == cpu:
                raise MatcherError(
                    f"{self.file.path}: onnxruntime cannot load it: {_words(error)}"
                ) from error
            self.note = f"{provider} did not start ({_words(error)}); the CPU runs the network"
            return self._session_on([cpu], threads, again=True)
        if session.get_providers()[0] != wanted:
            self.note = f"{provider} did not start; the CPU runs the network"
        return session

    def _session_on(self, providers: list[str], threads: int, *, again: bool = False) -> Any:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4  # what matters is raised, and told in our words
        options.intra_op_num_threads = threads
        # threads that wait in a loop between two frames take the cores that we need meanwhile
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return ort.InferenceSession(str(self.file.path), options, providers=providers)
        except Exception as error:
            if not again:
                raise
            raise MatcherError(
                f"{self.file.path}: onnxruntime cannot load it: {_words(error)}"
            ) from error


def open_network(path: Path, *, provider: str = "cpu", threads: int = 0) -> Network:
    """Return the loaded network of a file; the same while the file stays the same.

    ``threads`` 0: all cores. Raises MatcherError for a file that cannot be used,
    MissingLibraryError without onnxruntime, or without the build that has the provider.
    """
    if provider not in PROVIDERS:
        raise MatcherError(f"provider must be one of {', '.join(PROVIDERS)}, got {provider!r}")
    try:
        stat = path.stat()
    except OSError:
        read_model_file(path)  # says what is wrong with it
        raise
    with _loading:
        return _opened(path, stat.st_mtime_ns, stat.st_size, provider, threads)


_loading = threading.Lock()
"""Two threads that ask at once get the same one."""
_used: dict[tuple[str, str], Network] = {}


@lru_cache(maxsize=_KEPT)
def _opened(path: Path, _changed_ns: int, _size: int, provider: str, threads: int) -> Network:
    network = Network(read_model_file(path), provider, threads)
    _used[str(path), provider] = network
    if len(_used) > _KEPT:
        _used.pop(next(iter(_used)))
    return network


def used_networks() -> list[Network]:
    """Return those loaded last, for telling their times."""
    return list(_used.values())


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingLibraryError(
            "networks need onnxruntime: pip install 'stereo-depth[onnx]', or the build for your "
            "hardware (onnxruntime-gpu, onnxruntime-openvino, onnxruntime-directml)"
        ) from error
    return onnxruntime


def _words(error: Exception) -> str:
    """The first line of what onnxruntime says, without its prefix."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return text.rpartition("[ONNXRuntimeError] : ")[2][:300]
