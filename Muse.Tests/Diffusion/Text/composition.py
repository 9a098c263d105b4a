"""Writes composition.txt: texts and their normal form C, by Python's own Unicode tables.

    python3 composition.py > composition.txt

One case a line: the text's code points, a semicolon, those of the composed text. First every character that decomposes,
as itself and taken apart; then marks in any order; then random texts of letters, marks and Korean parts.
"""
import random
import sys
import unicodedata


def spelled(text):
    return " ".join(f"{ord(c):X}" for c in text)


def case(text):
    print(f"{spelled(text)};{spelled(unicodedata.normalize('NFC', text))}")


everything = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
changing = [c for c in everything if unicodedata.normalize("NFD", c) != c and not "\uac00" <= c <= "\ud7a3"]
marks = [c for c in everything if unicodedata.combining(c)]
jamo = "\u1100\u1112\u1113\u1161\u1175\u1176\u11a7\u11a8\u11c2\u11c3\uac00\uac01\ud788\ud7a3"
pick = random.Random(15)

print(f"# Python {sys.version.split()[0]}, Unicode {unicodedata.unidata_version}: see composition.py")
for c in changing:
    case(c)
    apart = unicodedata.normalize("NFD", c)
    if apart != c:
        case(apart)
for mark in marks:
    case("a" + pick.choice(marks) + mark + pick.choice("\u0301\u0323\u0327"))
for first in jamo:
    for second in jamo:
        case(first + second)
for _ in range(1000):
    case("".join(pick.choice(pick.choice((changing, marks, marks, jamo, "aeiouAEIOUsn <>=/"))) for _ in range(pick.randint(2, 8))))
