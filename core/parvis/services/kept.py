"""What is rendered once and kept: the least recently used goes first, bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """Values by key, each with the bytes it takes; never more than `limit` bytes together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self.size = 0

    def get(self, key: Hashable) -> V | None:
        """Return a kept value and mark it as used."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value of so many bytes; the longest unused ones make room."""
        former = self._values.pop(key, None)
        if former is not None:
            self.size -= former[1]
        self._values[key] = (value, size)
        self.size += size
        while self.size > self._limit and len(self._values) > 1:
            _, (_, dropped) = self._values.popitem(last=False)
            self.size -= dropped

    def __len__(self) -> int:
        return len(self._values)
