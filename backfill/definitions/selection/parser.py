"""Parsing the selection language: one pass from left to right.

selection  = ["!"] union { "!" union }
union      = both { "," both }
both       = atom { "&" ["!"] atom }
atom       = "(" selection ")" | range | dimension | word list | wildcard | key | word
range      = "[" [key] "..." [key] "]"
dimension  = key "=" atom
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from backfill.definitions.selection.syntax import (
    BARE,
    All,
    Dimension,
    Except,
    Intersection,
    Key,
    Last,
    Months,
    Older,
    Range,
    Recent,
    Selection,
    Status,
    Union,
    Weekdays,
    Wildcard,
)
from backfill.definitions.selection.words import (
    PREFIXES,
    STATUSES,
    StatusWord,
    duration_seconds,
    month_span,
    weekday_span,
)
from backfill.errors import SelectionInvalid

MAX_DEPTH = 50
_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_DOTS = re.compile(r"\.\.\.|…")
_COUNT = re.compile(r"[0-9]{1,18}")


def parse(text: str) -> Selection:
    """Parse the text of a selection.

    Raises:
        SelectionInvalid: It cannot be parsed; `facts["column"]` (from 1) is where.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._in_dimension = False

    def parse(self) -> Selection:
        if not self._text.strip():
            self._fail("A selection is empty. Write keys, a range [a...b], or all.", 0)
        selection = self._selection()
        if self._at < len(self._text):
            self._unexpected("the end")
        return selection

    def _selection(self) -> Selection:
        parts: list[Selection] = [All()] if self._peek() == "!" else [self._union()]
        while self._take("!"):
            parts.append(self._union())
        return Except(parts[0], tuple(parts[1:])) if len(parts) > 1 else parts[0]

    def _union(self) -> Selection:
        parts = [self._both()]
        while self._take(","):
            parts.append(self._both())
        return Union(tuple(parts)) if len(parts) > 1 else parts[0]

    def _both(self) -> Selection:
        parts = [self._atom()]
        while self._take("&"):
            parts.append(Except(All(), (self._atom(),)) if self._take("!") else self._atom())
        return Intersection(tuple(parts)) if len(parts) > 1 else parts[0]

    def _atom(self) -> Selection:
        char = self._peek()
        start = self._at
        if char == "(":
            return self._parenthesis()
        if char == "[":
            return self._range()
        if char in ('"', "*"):
            return self._key_or_wildcard()
        word = BARE.match(self._text, start)
        if word is None:
            self._unexpected("a key")
        self._at = word.end()
        following = self._char()
        if following == "=":
            return self._dimension(word.group(), start)
        if following in ('"', "*"):
            self._at = start
            return self._key_or_wildcard()
        return self._word(word.group(), start)

    def _parenthesis(self) -> Selection:
        start = self._at
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"Parentheses are nested more than {MAX_DEPTH} deep.", start)
        self._at += 1
        selection = self._selection()
        if not self._take(")"):
            if self._at >= len(self._text):
                self._fail("This parenthesis is never closed.", start)
            self._unexpected('")"')
        self._depth -= 1
        return selection

    def _range(self) -> Selection:
        start = self._at
        self._at += 1
        first, dotted = self._range_end(start)
        if not dotted:
            self._skip_space()
            dots = _DOTS.match(self._text, self._at)
            if dots is None:
                self._fail("A range is written [first...last], [first...] or [...last].", start)
            self._at = dots.end()
        last, dotted = self._range_end(start)
        if not self._peek():
            self._fail("This [ is never closed.", start)
        if dotted or not self._take("]"):
            self._unexpected('"]"')
        if first is None and last is None:
            self._fail("A range needs at least one end; all partitions are written all.", start)
        return Range(first, last, column=start + 1)

    def _range_end(self, start: int) -> tuple[str | None, bool]:
        """Return an end, None when it is left open, and whether the dots after it were taken."""
        char = self._peek()
        if char == '"':
            return self._quoted(), False
        if not char:
            self._fail("This [ is never closed.", start)
        word = BARE.match(self._text, self._at)
        if word is None:
            return None, False
        dots = _DOTS.search(self._text, self._at, word.end())
        if dots is None:
            self._at = word.end()
            return word.group(), False
        end = self._text[self._at : dots.start()]
        self._at = dots.end()
        return end or None, True

    def _key_or_wildcard(self) -> Selection:
        """Parse quoted and bare pieces with stars between them."""
        start = self._at
        parts = [self._piece()]
        while self._char() == "*":
            self._at += 1
            parts.append(self._piece())
        if self._char() == "=" and len(parts) == 1:
            return self._dimension(parts[0], start)
        if self._char() == '"' or BARE.match(self._text, self._at):
            self._fail("Between two keys stands a comma, & or !.", self._at)
        if len(parts) == 1:
            return Key(parts[0], column=start + 1)
        return Wildcard(tuple(parts), column=start + 1)

    def _piece(self) -> str:
        if self._char() == '"':
            return self._quoted()
        word = BARE.match(self._text, self._at)
        if word is None:
            return ""
        self._at = word.end()
        return word.group()

    def _quoted(self) -> str:
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            self._fail("This quote is never closed.", self._at)
        self._at = match.end()
        return _ESCAPE.sub(r"\1", match.group(1))

    def _dimension(self, name: str, start: int) -> Selection:
        if self._in_dimension:
            self._fail("A dimension cannot be selected inside of another.", start)
        self._at += 1
        self._in_dimension = True
        selection = self._atom()
        self._in_dimension = False
        return Dimension(name, selection, column=start + 1)

    def _word(self, word: str, start: int) -> Selection:
        if word == "all":
            return All()
        if word in STATUSES:
            self._not_in_dimension(word, start)
            return Status(StatusWord(word))
        if word.startswith(PREFIXES):
            prefix = next(p for p in PREFIXES if word.startswith(p))
            return self._prefixed(prefix, word[len(prefix) :], start)
        if "..." in word:
            self._fail("A range stands in brackets: [first...last].", start)
        return Key(word, column=start + 1)

    def _prefixed(self, prefix: str, value: str, start: int) -> Selection:
        at = start + len(prefix)
        if prefix == "dow:":
            return Weekdays(self._list(weekday_span, value, at, "a weekday such as mon or mon-fri"))
        if prefix == "month:":
            return Months(self._list(month_span, value, at, "a month such as 7, jul or 6-8"))
        seconds = duration_seconds(value)
        if prefix == "older:":
            self._not_in_dimension("older", start)
            if not seconds:
                self._fail("After older: stands a length of time such as 7d, 36h or 30m.", at)
            return Older(seconds)
        if seconds:
            return Recent(seconds)
        if not _COUNT.fullmatch(value) or int(value) == 0:
            self._fail(
                "After last: stands a number such as 30, or a length of time such as 7d.", at
            )
        return Last(int(value))

    def _list(
        self, span: Callable[[str], list[int] | None], value: str, at: int, what: str
    ) -> tuple[int, ...]:
        """Parse items as long as what follows a comma is one."""
        found = span(value)
        if found is None:
            self._fail(f"Here stands {what}.", at)
        numbers = set(found)
        while self._peek() == ",":
            item = BARE.match(self._text, self._after_space(self._at + 1))
            more = span(item.group()) if item else None
            if (
                item is None
                or more is None
                or self._text[item.end() : item.end() + 1] in ("*", "=")
            ):
                break
            numbers.update(more)
            self._at = item.end()
        return tuple(sorted(numbers))

    def _not_in_dimension(self, word: str, start: int) -> None:
        if self._in_dimension:
            self._fail(
                f"{word} is about whole partitions, not about one dimension: combine it with &. "
                f'A key of that name stands in quotes: "{word}".',
                start,
            )

    def _take(self, char: str) -> bool:
        if self._peek() != char:
            return False
        self._at += 1
        return True

    def _peek(self) -> str:
        """Return the next character after spaces, or nothing at the end."""
        char = self._char()
        if "!" <= char <= "~":
            return char
        self._skip_space()
        return self._char()

    def _char(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        self._at = self._after_space(self._at)

    def _after_space(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _unexpected(self, expected: str) -> NoReturn:
        char = self._peek()
        if not char:
            self._fail(f"Expected {expected}, but the selection ends here.", self._at)
        hint = ""
        if expected == "the end" and (char == '"' or BARE.match(char)):
            hint = " Keys are separated by commas; a key with spaces stands in quotes."
        elif char in "&!,)]=[(":
            hint = f' A key with "{char}" in it stands in quotes.'
        self._fail(f'Expected {expected}, but found "{char}".{hint}', self._at)

    def _fail(self, problem: str, at: int) -> NoReturn:
        raise SelectionInvalid(
            f"{problem} (column {at + 1} of the selection)", column=at + 1, selection=self._text
        )
