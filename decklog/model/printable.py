"""Text that people read as it is: what a terminal obeys and what nobody sees is shown, and does nothing.

Whoever commits chooses the words that the timeline shows. Sequences for the terminal could move the cursor, hide or
recolour lines, and a change of the writing direction lets a text read otherwise than it is ("Trojan Source",
https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
"""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, C0 and C1; tab and line feed are what they are
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, joiners, separators
    "\u034f\u115f\u1160\u3164\uffa0"  # letters without a shape
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # format of scripts, tags
    "\ud800-\udfff]"  # no characters at all: bytes of a file's name
)

_SPACED = re.compile("[\t\n]")

_LONGEST, _HEAD, _TAIL = 400, 180, 80
"""Characters of a message that is shown whole, and of the two ends of one that is not."""
_WHOLE = "`decklog show EVENT` has all of it"


def shown(text: str) -> str:
    r"""The text with every character that does not show, but tab and line feed, written as `\x1b` or `\u202e`."""
    return _HIDDEN.sub(_escape, text)


def line(text: str) -> str:
    r"""The same for a text that stands on one line: tab and line feed are written as `\x09` and `\x0a`, too."""
    return _SPACED.sub(_escape, shown(text))


def excerpt(text: str) -> str:
    """What an API server said, short enough to be read: where it dumps an object, its beginning and how it ends."""
    if len(text) <= _LONGEST:
        return text
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_HEAD].rstrip()} … {line[-_TAIL:].lstrip()} ({_WHOLE})"


def hides(text: str) -> bool:
    """True if the text has such a character."""
    return _HIDDEN.search(text) is not None


def in_json(document: str) -> str:
    """A JSON document with them escaped; they stand in its strings alone."""
    return _HIDDEN.sub(_escape_json, document)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(found: re.Match[str]) -> str:
    """As RFC 8259 has it (section 7): UTF-16 code units."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[start : start + 2].hex()}" for start in range(0, len(units), 2))
