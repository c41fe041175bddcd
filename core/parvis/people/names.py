"""Names of people and places as addresses, sorting keys, search text and initials."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

HUES = ("pine", "sky", "iris", "plum", "rose", "clay", "honey", "moss")
"""The hues of the design language, for initials and tiles."""

# Letters that Unicode does not decompose although readers type them without the stroke or ligature.
_LETTERS = str.maketrans(
    {"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "’": "'"}
)
# Characters that draw nothing or turn the line around: a name made of them could pass for another one.
_INVISIBLE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_PARTICLE_WORDS = (
    "d da das de del della den der des di do dos du el la las le les san st saint ten ter van vander von zu"
)
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_SPACES = re.compile(r"\s+")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Return text as search and sorting compare it: no case, no accents, no ligatures, single spaces."""
    # Casefolding may compose and decomposing may bring capitals back, so each is done on the other's result.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _SPACES.sub(" ", bare.translate(_LETTERS)).strip()


def clean_line(text: str) -> str:
    """Return one line as people meant it: composed, nothing invisible, spaces joined and trimmed."""
    plain = _INVISIBLE.sub("", _SPACES.sub(" ", unicodedata.normalize("NFC", text)))
    return _SPACES.sub(" ", plain).strip()


def clean_text(text: str) -> str:
    """Return several lines as people meant them, each without invisible characters."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_INVISIBLE.sub("", line).rstrip() for line in lines).strip()


def slug_of(text: str, *, longest: int = 40) -> str:
    """Return the part of an address made from a name; empty when it holds no Latin letter or digit."""
    return _NOT_SLUG.sub("-", fold(text))[:longest].strip("-")


def search_text(*parts: str) -> str:
    """Return the folded text that the directory searches in."""
    return fold(" ".join(part for part in parts if part))


def sort_name_of(name: str) -> str:
    """Return the folded key by which people are listed: the family name, then the rest.

    The family name is the last word with the particles before it ("Le Goff", "de la Tour"); a name of one word, as
    in scripts that do not part names by spaces, stands for itself.
    """
    words = fold(name).split()
    first = len(words) - 1
    while first > 1 and words[first - 1] in _PARTICLES:
        first -= 1
    return " ".join(words[first:] + words[:first])


def initials_of(name: str) -> str:
    """Return one or two letters that stand for a person without a picture."""
    words = [word for word in re.split(r"[\s\-'’]+", name) if word and word[0].isalnum()]
    if not words:
        return "?"
    letters = words[0][0] if len(words) == 1 else words[0][0] + words[-1][0]
    return letters.upper()[:2]


def hue_of(handle: str) -> str:
    """Return the hue of a person's initials: always the same for the same handle."""
    return HUES[blake2b(handle.encode(), digest_size=2).digest()[0] % len(HUES)]
