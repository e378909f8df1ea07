"""CLIP's byte pair tokenizer, once as CLIP-L reads a text and once as OpenCLIP's bigG does.

Both mend the text (ftfy), fold white space and case, cut it into words and merge each word's bytes pair by pair, best
known pair first. bigG's also resolves HTML entities twice, and each spells its two special tokens its own way.
Sennrich et al. 2016, https://arxiv.org/abs/1508.07909, algorithm 1; https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py
"""

import gzip
import heapq
import html
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files

import regex

from ohwx_compare.core.prompt.chunks import END, START

__all__ = ["BytePairs", "Tokenizer", "tokenizer_g", "tokenizer_l", "vocabulary"]

CLOSE = "</w>"  # the mark of a word's last symbol
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def _byte_symbols() -> dict[int, str]:
    """Each byte's stand-in, in the vocabulary's order: Latin-1's printable characters, then the rest from U+0100 on."""
    printable = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
    rest = (byte for byte in range(256) if byte not in printable)
    return {b: chr(b) for b in printable} | {b: chr(0x100 + i) for i, b in enumerate(rest)}


class BytePairs:
    """Words to token ids by a list of merges, best first, each two symbols with a space between."""

    def __init__(self, merges: Sequence[str]):
        self._symbols = _byte_symbols()
        letters = self._symbols.values()
        symbols = [*letters, *(letter + CLOSE for letter in letters), *(merge.replace(" ", "") for merge in merges)]
        self.merges = tuple(merges)
        self.ids = {symbol: number for number, symbol in enumerate(symbols)}
        self._ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
        self.encode = lru_cache(maxsize=1 << 14)(self._encode)

    def _encode(self, word: str) -> tuple[int, ...]:
        symbols = [self._symbols[byte] for byte in word.encode("utf-8", "surrogatepass")]
        symbols[-1] += CLOSE
        return tuple(self.ids[symbol] for symbol in self._merge(symbols))

    def _merge(self, symbols: list[str]) -> list[str]:
        """Merge until no known pair is left, in O(n log n): all places of the best pair, left to right, then anew."""
        after = [*range(1, len(symbols)), None]
        before = [None, *range(len(symbols) - 1)]
        heap: list[tuple[int, int, str, str]] = []

        def offer(left: int | None) -> None:
            if left is None or (right := after[left]) is None:
                return
            pair = (symbols[left], symbols[right])
            if pair in self._ranks:
                heapq.heappush(heap, (self._ranks[pair], left, *pair))

        for left in range(len(symbols)):
            offer(left)
        while heap:
            rank, merged = heap[0][0], []
            while heap and heap[0][0] == rank:
                _, left, *pair = heapq.heappop(heap)
                right = after[left]
                if right is None or [symbols[left], symbols[right]] != pair:
                    continue  # one of the two went into another merge since
                symbols[left], symbols[right] = pair[0] + pair[1], ""
                after[left] = after[right]
                if after[left] is not None:
                    before[after[left]] = left
                merged.append(left)
            for left in merged:
                offer(left)
                offer(before[left])
        return [symbol for symbol in symbols if symbol]


class Tokenizer:
    """Text of any length to token ids, without start and end: `tokenizer(text) -> list[int]`."""

    def __init__(self, pairs: BytePairs, clean: Callable[[str], str], start: str, end: str):
        self._pairs = pairs
        self._clean = clean
        self._special = {start: START, end: END}
        self._words = regex.compile(f"{regex.escape(start)}|{regex.escape(end)}|{_WORDS}", regex.IGNORECASE)

    def __call__(self, text: str) -> list[int]:
        tokens: list[int] = []
        for word in self._words.findall(self._clean(text)):
            if word in self._special:
                tokens.append(self._special[word])
            else:
                tokens.extend(self._pairs.encode(word))
        return tokens


def _clean_l(text: str) -> str:
    return _folded(_mended(text))


def _clean_g(text: str) -> str:
    return _folded(html.unescape(html.unescape(_mended(text))))


def _mended(text: str) -> str:
    import ftfy  # a tenth of a second, which a run that encodes nothing does without

    return ftfy.fix_text(text)


def _folded(text: str) -> str:
    spaced: str = regex.sub(r"\s+", " ", text)
    return spaced.strip().lower()


@lru_cache(maxsize=1)
def _clip_pairs() -> BytePairs:
    packed = files("ohwx_compare.files") / "vocabulary" / "clip_merges.txt.gz"
    return BytePairs(gzip.decompress(packed.read_bytes()).decode("utf-8").splitlines())


@lru_cache(maxsize=1)
def tokenizer_l() -> Tokenizer:
    """The tokenizer of CLIP-L, as in transformers 4.30's `CLIPTokenizer` with ftfy."""
    return Tokenizer(_clip_pairs(), _clean_l, "<|startoftext|>", "<|endoftext|>")


@lru_cache(maxsize=1)
def tokenizer_g() -> Tokenizer:
    """The tokenizer of OpenCLIP's bigG, as in open_clip 2.20's `SimpleTokenizer`."""
    return Tokenizer(_clip_pairs(), _clean_g, "<start_of_text>", "<end_of_text>")


def vocabulary() -> tuple[dict[str, int], tuple[str, ...]]:
    """CLIP's vocabulary, symbol -> id, START's and END's last, and its merges: what transformers' files hold."""
    pairs = _clip_pairs()
    return pairs.ids | {"<|startoftext|>": START, "<|endoftext|>": END}, pairs.merges
