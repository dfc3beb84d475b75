"""Where an answer is cut into fragments, by a causal scanner over bytes that knows quotes and brackets.

    [f(a=1, b="x, (y"), g()]   ->  `[f(`  `a=1,`  ` b="x, (y")`  `, g(`  `)`  `]`
    {"name": "f", "arguments": {"a": 1, "b": [2, 3]}}
                               ->  `{"name": "f",`  ` "arguments": {`  `"a": 1,`  ` "b": [2, 3]}`  `}`
    Which city? Or zip code.   ->  `Which city? `  `Or zip code.`

A fragment is a name with its "(", an argument with the "," or ")" after it, what closes a list or an object, or a
sentence; in JSON it is each entry of a call object and each argument. Nothing inside a string or inside the brackets of
an argument's value is cut. Prose is cut after the space that follows `.`, `!` or `?` (not a point after a digit) and
after a line break. A function name with parentheses in it is cut at them too.
"""

from __future__ import annotations

BOUNDARY_BYTES = frozenset(b"(),]{} \t\r\n")

_SPACES = frozenset(b" \t\r\n")
_QUOTES = frozenset(b"\"'")
_OPENERS = frozenset(b"([{")
_CLOSERS = frozenset(b")]}")
_DIGITS = frozenset(b"0123456789")
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME_BYTES = _LETTERS | _DIGITS | frozenset(b"_.-/") | frozenset(range(128, 256))
_BEFORE_NAME = _SPACES | frozenset(b",;`")
_SENTENCE_ENDS = frozenset(b".!?")
_ARGUMENT_KEYS = (b"arguments", b"parameters")
_LONGEST_KEY = 16

_BACKSLASH, _COMMA, _COLON, _NEWLINE, _QUOTE, _POINT = b'\\,:\n".'
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
        self.last_two = (0, 0)

    def feed(self, byte: int) -> bool:
        ends = False
        if self.quote:
            self._in_string(byte)
        else:
            ends = self.mode(byte)
        self.blank = ends or (self.blank and byte in _SPACES)
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
        self.mode, self.expects_name, self.name_length = self._prose, True, 0

    def _open_call(self, in_list: bool) -> bool:
        self.mode, self.in_list, self.called, self.depth = self._call, in_list, True, 0
        return True

    def _open_json(self, stack: bytes) -> bool:
        self.mode, self.stack, self.arguments_at, self.key = self._json, bytearray(stack), 0, b""
        return False

    def _prose(self, byte: int) -> bool:
        if byte == _BRACKET:
            self.mode, self.name_length, self.called = self._head, 0, False
            return False
        if byte == _BRACE:
            return self._open_json(b"{")
        if byte == _PARENTHESIS and self.expects_name and self.name_length:
            return self._open_call(in_list=False)
        before, last = self.last_two
        if byte == _NEWLINE:
            self.expects_name, self.name_length = True, 0
            return not self.blank
        if byte in _NAME_BYTES:
            self.name_length += 1
        elif self.name_length or byte not in _BEFORE_NAME:
            self.expects_name = False
        return byte in _SPACES and last in _SENTENCE_ENDS and not (last == _POINT and before in _DIGITS)

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
            self.key = b""
            if self.arguments_at:
                return len(self.stack) == self.arguments_at
            return self.stack[-1] == _BRACE and not self.blank
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
        inside_value = len(self.stack) > self.arguments_at > 0
        if len(self.stack) == self.arguments_at:
            self.arguments_at = 0
        self.stack.pop()
        if not self.stack:
            self._to_prose()
            return True
        return byte == _CLOSE_BRACE and not inside_value
