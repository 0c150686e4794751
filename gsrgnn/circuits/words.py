"""The words that DEF and LEF files are made of, each known by a number.

Words are parted by blanks; a text in quotes is one word, and from a `#` at the beginning of a word to the end of the
line all is comment. A file of hundreds of megabytes becomes a row of numbers, one for each word that occurs (`ids`),
beside the list of the words that differ (`text`) and what they are worth as numbers (`number`): whoever reads the
file on compares integers. `KEYWORDS` have the same numbers in every file.
"""

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from gsrgnn.jit import jit

MAX_BYTES = 2**30  # of a file, unpacked; a routed DEF has about 200 bytes a pin
KEYWORDS = (
    *("END", ";", "(", ")", "+", "-", "*"),
    *("PLACED", "SOFTFIXED", "FIXED", "COVER", "ROUTED", "NOSHIELD", "NEW"),
    *("TAPER", "TAPERRULE", "STYLE", "MASK", "RECT", "VIRTUAL"),
    *("N", "W", "S", "E", "FN", "FW", "FS", "FE"),
)
_NUMBER = re.compile(rb"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][-+]?[0-9]{1,2})?")
_PREFIX = " ".join(KEYWORDS).encode() + b"\n"
_NOT_TEXT = bytes(set(range(32)) - set(b"\t\n\v\f\r") | {127})
_TEXT = bytes(set(range(256)) - set(_NOT_TEXT))
_CHUNK = 2**16
_jit = jit()


class Words:
    """The words of the file at `path`, plain or gzip.

    ids: int32 [T], which word comes where. text: the words that differ; number: float64,
    what each is worth, NaN where it is no number. FileNotFoundError if there is no file; ValueError naming the file if
    it is no text, is cut short within gzip, or has more than `MAX_BYTES`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"path is {path!r:.200}: give the path of a DEF or LEF file")
        self.path = Path(path)
        whole = b"".join([_PREFIX, *_chunks(self.path)])
        self._bytes = np.frombuffer(whole, np.uint8)
        seed = np.frombuffer(os.urandom(8), np.uint64)[0]  # so that no file can aim at one place of the table
        ids, start, stop, unclosed = _read(self._bytes, seed)
        self.ids: NDArray[np.int32] = ids[len(KEYWORDS) :]
        if unclosed >= 0:
            line = self._line_at(unclosed)
            raise ValueError(f"{self.path}, line {line}: a quote that is not closed: the file is cut short or damaged")
        words = [whole[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)]
        self.text = [word.decode(errors="backslashreplace") for word in words]
        self.number = np.array([float(w) if len(w) < 40 and _NUMBER.fullmatch(w) else np.nan for w in words])
        self._id: dict[str, int] = {}

    def id(self, word: str) -> int:
        """The number of `word`, -1 if it does not occur."""
        if not self._id:
            self._id = {text: i for i, text in enumerate(self.text)}
        return self._id.get(word, -1)

    def at(self, token: int) -> str:
        """The word at place `token` of the file."""
        return self.text[self.ids[token]]

    def line(self, token: int) -> int:
        """The line, from 1, in which the word at place `token` stands."""
        return self._line_at(_place(self._bytes, int(token) + len(KEYWORDS)))

    def fail(self, token: int, what: str) -> NoReturn:
        """Raises the ValueError that names the file, the line of the word at place `token`, and `what` is wrong."""
        raise ValueError(f"{self.path}, line {self.line(token)}: {what}")

    def _line_at(self, place):
        return int(np.count_nonzero(self._bytes[len(_PREFIX) : place] == 10)) + 1


def _chunks(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: give the path of a DEF or LEF file, plain or gzip")
    size, unpack = 0, [zlib.decompressobj(31)]
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        while piece := file.read(_CHUNK):
            for chunk in _unpacked(path, piece, unpack) if packed else [piece]:
                size += len(chunk)
                if size > MAX_BYTES:
                    raise ValueError(f"{path} has more than {MAX_BYTES:,} bytes unpacked: give a smaller design")
                if chunk.translate(None, _TEXT):
                    kind = "gzip of something else" if packed else "binary"
                    raise ValueError(f"{path} is {kind}, not text: give a DEF or LEF file, plain or gzip")
                yield chunk
    if packed and not unpack[0].eof:
        raise ValueError(f"{path} is cut short: its gzip does not end; get it again")


def _unpacked(path, piece, state):
    """What a piece of a gzip file unpacks to, at most `_CHUNK` bytes at a time; `state` holds the decompressor."""
    try:
        while piece:
            if state[0].eof:
                if not piece.strip(b"\0"):
                    return
                state[0] = zlib.decompressobj(31)
            yield state[0].decompress(piece, _CHUNK)
            piece = state[0].unconsumed_tail or state[0].unused_data
    except zlib.error as error:
        raise ValueError(f"{path} is damaged gzip ({error}): get it again") from error


@_jit
def _next(text, i):
    """(start, stop) of the next word from `i` on; start is the text's length where there is none.

    stop is beyond the text where a quote is not closed.
    """
    n = len(text)
    while i < n and (text[i] <= 32 or text[i] == 35):
        if text[i] == 35:
            while i < n and text[i] != 10 and text[i] != 13:
                i += 1
        else:
            i += 1
    start = i
    if i < n and text[i] == 34:
        i += 1
        while i < n and text[i] != 34:
            i += 2 if text[i] == 92 else 1
        return start, i + 1
    while i < n and text[i] > 32:
        i += 1
    return start, i


@_jit
def _place(text, token):
    start, stop = _next(text, 0)
    for _ in range(token):
        start, stop = _next(text, stop)
    return start


@_jit
def _read(text, seed):
    n = len(text)
    ids = np.empty(n // 2 + 1, np.int32)
    starts, stops, hashes = np.empty(1024, np.int64), np.empty(1024, np.int64), np.empty(1024, np.uint64)
    table = np.full(4096, -1, np.int32)
    count = words = 0
    start, stop = _next(text, 0)
    while start < n:
        if stop > n:
            return ids[:count], starts[:words], stops[:words], start
        value = seed
        for i in range(start, stop):
            value = (value ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
        value ^= value >> np.uint64(29)
        mask = np.uint64(len(table) - 1)
        slot = value & mask
        found = -1
        while table[slot] >= 0:
            other = table[slot]
            if hashes[other] == value and stops[other] - starts[other] == stop - start:
                same = True
                for i in range(stop - start):
                    same &= text[starts[other] + i] == text[start + i]
                if same:
                    found = other
                    break
            slot = (slot + np.uint64(1)) & mask
        if found < 0:
            if words == len(starts):
                starts, stops = np.append(starts, np.empty_like(starts)), np.append(stops, np.empty_like(stops))
                hashes = np.append(hashes, np.empty_like(hashes))
                table = np.full(4 * len(table), -1, np.int32) if 4 * words > len(table) else table
                mask = np.uint64(len(table) - 1)
                table[:] = -1
                for other in range(words):
                    slot = hashes[other] & mask
                    while table[slot] >= 0:
                        slot = (slot + np.uint64(1)) & mask
                    table[slot] = other
                slot = value & mask
                while table[slot] >= 0:
                    slot = (slot + np.uint64(1)) & mask
            starts[words], stops[words], hashes[words] = start, stop, value
            table[slot] = found = words
            words += 1
        ids[count] = found
        count += 1
        start, stop = _next(text, stop)
    return ids[:count], starts[:words], stops[:words], -1
