"""A byte-level byte-pair tokenizer in CLIP's layout (Radford et al. 2021, https://arxiv.org/abs/2103.00020).

Every byte has a printable symbol, a word's last symbol carries `</w>`, and merges join the commonest neighbours.
Because all 512 single symbols are in the vocabulary, any text encodes; words that the captions use become one token.
"""
import json
import unicodedata
from collections import Counter
from pathlib import Path

import regex

LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = regex.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
                      regex.IGNORECASE)


def byte_symbols():
    """The printable character that stands for each byte: itself where it prints, else one from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    symbols = {b: chr(b) for b in printable}
    for b in range(256):
        if b not in symbols:
            symbols[b] = chr(256 + len(symbols) - len(printable))
    return symbols


SYMBOLS = byte_symbols()


def clean(text):
    """NFC, one space between words, lower case."""
    return " ".join(unicodedata.normalize("NFC", text).split()).lower()


def split_word(word):
    symbols = [SYMBOLS[b] for b in word.encode("utf-8")]
    return tuple(symbols[:-1] + [symbols[-1] + "</w>"])


def join_pair(parts, pair):
    joined, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            joined.append(parts[i] + parts[i + 1])
            i += 2
        else:
            joined.append(parts[i])
            i += 1
    return tuple(joined)


def learn_merges(texts, most=2000):
    """The merges, commonest first, ties broken by spelling; stops when every pair left is rare."""
    words = Counter(w for t in texts for w in WORDS.findall(clean(t)))
    parts = {w: split_word(w) for w in words}
    merges = []
    while len(merges) < most:
        pairs = Counter()
        for w, n in words.items():
            for pair in zip(parts[w], parts[w][1:]):
                pairs[pair] += n
        if not pairs:
            break
        pair, n = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if n < 2:
            break
        merges.append(pair)
        parts = {w: join_pair(p, pair) for w, p in parts.items()}
    return merges


class Tokenizer:
    def __init__(self, vocab, merges):
        self.vocab = vocab
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        self.start, self.end = vocab[START], vocab[END]
        self._words = {}

    @staticmethod
    def learn(texts):
        merges = learn_merges(texts)
        singles = list(SYMBOLS.values())
        tokens = singles + [s + "</w>" for s in singles] + ["".join(m) for m in merges] + [START, END]
        return Tokenizer({t: i for i, t in enumerate(tokens)}, merges)

    @staticmethod
    def load(folder):
        folder = Path(folder)
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")[1:]
        return Tokenizer(json.loads((folder / "vocab.json").read_text(encoding="utf-8")),
                         [tuple(line.split()) for line in lines if line])

    def save(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vocab.json").write_text(json.dumps(self.vocab, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
        lines = ["#version: 0.2"] + [" ".join(pair) for pair in self.ranks]
        (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _encode_word(self, word):
        if word not in self._words:
            if word in (START, END):
                return [self.vocab[word]]
            parts = split_word(word)
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda pair: self.ranks.get(pair, 1 << 30))
                if best not in self.ranks:
                    break
                parts = join_pair(parts, best)
            self._words[word] = [self.vocab[p] for p in parts]
        return self._words[word]

    def encode(self, text):
        """The ids of a text, without start, end or padding."""
        return [i for word in WORDS.findall(clean(text)) for i in self._encode_word(word)]

    def padded(self, text, length=LENGTH):
        """Start, at most `length` - 2 ids, end, then end again up to `length`."""
        ids = [self.start] + self.encode(text)[:length - 2]
        return ids + [self.end] * (length - len(ids))
