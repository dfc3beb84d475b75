"""Where an answer is cut into fragments, by a causal scanner over bytes that knows quotes and brackets.

    [f(a=1, b="x, (y"), g()]   ->  `[f(`  `a=1,`  ` b="x, (y")`  `, g(`  `)`  `]`
    [{"name": "f", "arguments": {"a": 1, "b": [2, 3]}}]
                               ->  `[{"name": "f", "arguments": {`  `"a": 1,`  ` "b": [2, 3]}`  `}]`
    Which city? Or zip code.   ->  `Which city? `  `Or zip code.`

A fragment is a call's head up to where its arguments begin, an argument with the "," or closing bracket after it, what
closes the calls, or a sentence. In every style of `write_calls` one head, each argument (or the closing bracket where
there is none) and the closing are one fragment each; tags belong to the head that follows and to the closing. Nothing
inside a string or inside the brackets of an argument's value is cut. In JSON that is no call each entry is a fragment.
Prose is cut after the space that follows `.`, `!` or `?` (not a point after a digit) and after a line break, but not
after a tag alone on its line. A function name with parentheses in it is cut at them too.
"""

from __future__ import annotations

from typing import Literal

BOUNDARY_BYTES = frozenset(b"(),]{} \t\r\n")

_SPACES = frozenset(b" \t\r\n")
_QUOTES = frozenset(b"\"'")
_OPENERS = frozenset(b"([{")
_CLOSERS = frozenset(b")]}")
_DIGITS = frozenset(b"0123456789")
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME_BYTES = _LETTERS | _DIGITS | frozenset(b"_.-/") | frozenset(range(128, 256))
_BEFORE_NAME = _SPACES | frozenset(b",;`")
_BLANK = _SPACES | _CLOSERS | frozenset(b",;")
_SENTENCE_ENDS = frozenset(b".!?")
_ARGUMENT_KEYS = (b"arguments", b"parameters")
_HEAD_KEYS = (b"name", b"type", b"id", b"function")
_LONGEST_KEY = 16

_BACKSLASH, _COMMA, _COLON, _NEWLINE, _QUOTE, _POINT, _LESS, _GREATER, _EQUALS = b'\\,:\n".<>='
_PARENTHESIS, _BRACKET, _BRACE = b"([{"
_CLOSE_PARENTHESIS, _CLOSE_BRACKET, _CLOSE_BRACE = b")]}"


def fragment_ends(answer: bytes) -> list[int]:
    """The byte offsets at which fragments end, ascending, the last one len(answer); any bytes are fine.

    The end at offset k depends on answer[:k] alone (but for the answer's own end), so answers with a common beginning
    are cut alike there. Every end but the answer's own follows one of BOUNDARY_BYTES. An empty answer is one fragment.
    """
    feed = FragmentScanner().feed
    ends = [offset for offset, byte in enumerate(answer, 1) if feed(byte)]
    return ends if ends and ends[-1] == len(answer) else [*ends, len(answer)]


class FragmentScanner:
    """Feed an answer byte by byte: feed() says whether a fragment ends after this byte.

    The state is in four modes, each a method:
    prose   sentences; a name at the start of a line or after a call, directly before "(", opens arguments
    head    inside `[`, before a call's "(": names, which may hold any byte but brackets
    call    a call's arguments; `depth` counts the open brackets of values
    json    `stack` holds the open brackets; `arguments_at` is its length at the arguments object, 0 outside

    `blank` says that nothing but spaces, commas and closing brackets came since the last cut. `line` is what the line
    of prose holds so far; after tags it is "tag", or "function" if one was `<function=f>`, also on the next line.
    """

    def __init__(self) -> None:
        self.mode = self._prose
        self.quote = 0
        self.escaped = False
        self.expects_name = True
        self.name_length = 0
        self.in_list = False
        self.called = False
        self.depth = 0
        self.stack = bytearray()
        self.arguments_at = 0
        self.string = b""
        self.key = b""
        self.blank = True
        self.line: Literal["empty", "in tag", "in function", "tag", "function", "text"] = "empty"
        self.last_two = (0, 0)

    def feed(self, byte: int) -> bool:
        ends = False
        if self.quote:
            self._in_string(byte)
        else:
            ends = self.mode(byte)
        self.blank = ends or (self.blank and byte in _BLANK)
        self.last_two = (self.last_two[1], byte)
        return ends

    def _in_string(self, byte: int) -> None:
        if self.escaped:
            self.escaped = False
        elif byte == _BACKSLASH:
            self.escaped = True
        elif byte == self.quote:
            self.quote = 0
        elif len(self.string) < _LONGEST_KEY:
            self.string += bytes((byte,))

    def _open_string(self, quote: int) -> bool:
        self.quote, self.string = quote, b""
        return False

    def _to_prose(self) -> None:
        self.mode, self.expects_name, self.name_length, self.line = self._prose, True, 0, "empty"

    def _open_call(self, in_list: bool) -> bool:
        self.mode, self.in_list, self.called, self.depth = self._call, in_list, True, 0
        return True

    def _open_json(self, stack: bytes, arguments_at: int = 0) -> bool:
        self.mode, self.stack, self.arguments_at, self.key = self._json, bytearray(stack), arguments_at, b""
        return arguments_at > 0

    def _prose(self, byte: int) -> bool:
        if byte == _BRACKET:
            self.mode, self.name_length, self.called = self._head, 0, False
            return False
        named = self.expects_name and self.name_length > 0
        if byte == _BRACE:
            return self._open_json(b"{", arguments_at=int(named or self.line == "function"))
        if byte == _PARENTHESIS and named:
            return self._open_call(in_list=False)
        before, last = self.last_two
        if byte == _NEWLINE:
            return self._end_line()
        self._extend_line(byte)
        if byte in _NAME_BYTES:
            self.name_length += 1
        elif self.name_length or byte not in _BEFORE_NAME:
            self.expects_name = False
        return byte in _SPACES and last in _SENTENCE_ENDS and not (last == _POINT and before in _DIGITS)

    def _end_line(self) -> bool:
        self.expects_name, self.name_length = True, 0
        if self.line in ("tag", "function"):
            return False
        self.line = "empty"
        return not self.blank

    def _extend_line(self, byte: int) -> None:
        if self.line in ("in tag", "in function"):
            if byte == _GREATER:
                self.line = "tag" if self.line == "in tag" else "function"
            elif byte == _EQUALS:
                self.line = "in function"
        elif byte == _LESS and self.line != "text":
            self.line = "in tag"
        elif byte not in _SPACES:
            self.line = "text"

    def _head(self, byte: int) -> bool:
        if byte == _PARENTHESIS:
            return self._open_call(in_list=True)
        if byte == _CLOSE_BRACKET:
            self._to_prose()
            return self.called
        if byte == _NEWLINE and self.name_length:
            self._to_prose()
            return self._prose(byte)
        if byte == _BRACE and not self.name_length:
            return self._open_json(b"[{")
        if byte == _QUOTE and not self.name_length:
            self.name_length = 1
            return self._open_string(byte)
        if byte == _BRACKET:
            self.name_length = 0
        elif self.name_length or (byte not in _SPACES and byte != _COMMA):
            self.name_length += 1
        return False

    def _call(self, byte: int) -> bool:
        if byte in _QUOTES:
            return self._open_string(byte)
        if byte in _OPENERS:
            self.depth += 1
        elif byte in _CLOSERS and self.depth:
            self.depth -= 1
        elif byte == _CLOSE_PARENTHESIS and self.in_list:
            self.mode, self.name_length = self._head, 0
            return True
        elif byte in _CLOSERS:
            self._to_prose()
            return True
        return byte == _COMMA and not self.depth

    def _json(self, byte: int) -> bool:
        if byte in _QUOTES:
            return self._open_string(byte)
        if byte == _COLON:
            self.key = self.string
        elif byte == _COMMA:
            key, self.key = self.key, b""
            if self.arguments_at:
                return len(self.stack) == self.arguments_at
            return self.stack[-1] == _BRACE and not self.blank and key not in _HEAD_KEYS
        elif byte in _OPENERS:
            self.stack.append(byte)
            opens_arguments = byte == _BRACE and not self.arguments_at and self.key in _ARGUMENT_KEYS
            self.key = b""
            if opens_arguments:
                self.arguments_at = len(self.stack)
            return opens_arguments
        elif byte in _CLOSERS:
            return self._close_json(byte)
        return False

    def _close_json(self, byte: int) -> bool:
        closes_arguments = len(self.stack) == self.arguments_at
        inside_value = not closes_arguments and self.arguments_at > 0
        if closes_arguments:
            self.arguments_at = 0
        self.key = b""
        self.stack.pop()
        if not self.stack:
            self._to_prose()
            return closes_arguments or byte == _CLOSE_BRACKET or not self.blank
        return closes_arguments or (byte == _CLOSE_BRACE and not inside_value and not self.blank)
