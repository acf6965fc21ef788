"""Secrets in large documents: found in one pass, whatever their number.

The Aho-Corasick automata of `ahocorasick-rs` read a text once for any number of words
(`docs/decisions/0081-aho-corasick-finds-secrets.md`). Its work is done outside the interpreter's
lock, so call `clean` from another thread than the event loop's when a text may be large.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import cast

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from holdfast.model.json import Json
from holdfast.model.scrubber import cleaned
from holdfast.model.secrets import MASK, forms

#: Scrubbers kept for the pages of runs that are looked at again and again.
_KEPT = 32
_MASK = MASK.encode()
#: Bytes of a form that are looked for first.
_START = 5


class Scrubber:
    """Knows the secrets of these credentials, in every form they travel in. Thread-safe."""

    def __init__(self, bodies: Iterable[Json] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: set[bytes] = set()
        #: None while nothing is known.
        self._finder: _Finder | None = None
        #: Bytes of the longest form.
        self._longest = 0
        self.add(*bodies)

    def add(self, *bodies: Json) -> None:
        """Know the secrets of more credentials."""
        found = set[bytes]()
        for body in bodies:
            # what bytes cannot say, no text of ours can contain
            found |= {form.encode("utf-8", "replace") for form in forms(body)}
        with self._lock:
            if found <= self._forms:
                return
            self._forms |= found
            self._longest = max(map(len, self._forms))
            self._finder = _Finder(self._forms)

    def clean(self, text: str) -> str:
        """The text with a mask in place of each secret."""
        return self._cleaned(text.encode("utf-8", "replace")).decode() if self._finder else text

    def clean_start(self, text: str) -> str:
        """The same for the beginning of a longer text: its end may hold a part of a secret."""
        if self._finder is None:
            return text
        cleaned = self._cleaned(text.encode("utf-8", "replace"))
        return cleaned[: max(0, len(cleaned) - self._longest)].decode("utf-8", "ignore")

    def clean_value(self, value: Json) -> Json:
        """The value with a mask in place of each secret, in its texts, names and numbers."""
        text = json.dumps(value, ensure_ascii=False)
        told = self.clean(text)
        if told == text:
            return value
        try:
            return cast("Json", json.loads(told))
        except ValueError:  # a number was a secret
            return cleaned(value, self.clean)

    def _cleaned(self, data: bytes) -> bytes:
        with self._lock:
            finder = self._finder
        assert finder is not None
        parts: list[bytes] = []
        end = 0
        for start, after in finder.matches(data):
            parts += (data[end:start], _MASK)
            end = after
        return b"".join((*parts, data[end:])) if parts else data


class _Finder:
    """Finds the leftmost, longest forms, at nearly the same cost for one secret and for hundreds.

    A small deterministic automaton looks for the first bytes of forms. It fits into the
    processor's cache. The large one only reads what follows these places.
    """

    def __init__(self, forms: Iterable[bytes]) -> None:
        whole = sorted(forms)
        self._starts = BytesAhoCorasick(
            sorted({form[:_START] for form in whole}), implementation=Implementation.DFA
        )
        self._whole = BytesAhoCorasick(
            whole,
            matchkind=MatchKind.LeftmostLongest,
            implementation=Implementation.ContiguousNFA,
        )
        # one start may hide another, which begins in it
        self._reach = _START + max(map(len, whole))

    def matches(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where forms begin and end."""
        for begin, end in self._windows(data):
            for _, start, after in self._whole.find_matches_as_indexes(data[begin:end]):
                yield begin + start, begin + after

    def _windows(self, data: bytes) -> list[tuple[int, int]]:
        """The parts of the data in which forms can be; none begins in one and ends outside."""
        starts = self._starts.find_matches_as_indexes(data)
        if len(starts) * self._reach > len(data) // 2:
            return [(0, len(data))]
        windows: list[tuple[int, int]] = []
        begin = end = 0
        for _, start, _ in starts:
            if start > end:
                windows.append((begin, end))
                begin = start
            end = start + self._reach
        return [*windows, (begin, end)]


class Scrubbers:
    """The scrubbers that were used last, by what they know. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Scrubber] = OrderedDict()

    def of(self, key: Hashable, bodies: Callable[[], Iterable[Json]]) -> Scrubber:
        """The scrubber with this key, made of `bodies` if it is not there."""
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        made = Scrubber(bodies())
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made
