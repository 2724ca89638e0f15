"""What is closed at the end of a ``with`` block."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Protocol, Self


class Closing(Protocol):
    """Whoever has ``close``, and inherits from this, can be used in a ``with`` block."""

    @abstractmethod
    def close(self) -> object:
        """Stop, and give back what is held; harmless when called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
