"""The outline of a document: what its limits ask for, read in a fraction of the time of parsing.

It takes for granted that the document is well-formed. Parsing tells whether it is, and
must count as many tokens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PAGE_ARGUMENTS = ("first", "last")
INTROSPECTION = ("__schema", "__type")

PageSize = int | str
"""What such an argument says: a number, or the name of a variable."""

_TOKENS = re.compile(
    r"""[ \t\n\r,\ufeff]*+(
        \#[^\n\r]*+
        | \"\"\"(?>[^"\\]|\\\"\"\"|\\|"(?!""))*+\"\"\"
        | "(?>[^"\\\n\r]|\\.)*+"
        | \.\.\.
        | [_A-Za-z][_0-9A-Za-z]*+
        | -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?
        | [^ \t\n\r,\ufeff]
    )""",
    re.VERBOSE,
)
_NAME = re.compile(r"[_A-Za-z]")
_INT = re.compile(r"-?[0-9]+$")
_END = "\0"
_DIGITS = 12
"""Of a number; the rest changes nothing, and numbers of thousands of digits take time."""


@dataclass(slots=True)
class Field:
    """A field of a selection set; those of inline fragments are among them."""

    key: str
    """Its name in the result: its alias, if it has one."""
    name: str
    on: str | None
    """The type condition that is nearest around it in its selection set."""
    sizes: tuple[PageSize, ...] = ()
    selections: "list[Field | Spread]" = field(default_factory=list)


@dataclass(slots=True)
class Spread:
    """A fragment, where it is used."""

    name: str
    on: str | None
    depth: int
    """Fields that it is nested in."""
    introspects: bool
    """Whether it is nested in one of introspection."""


@dataclass(slots=True)
class Definition:
    """An operation or a fragment; its numbers leave out what its spreads bring."""

    kind: str
    name: str | None = None
    on: str | None = None
    selections: list[Field | Spread] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    """Fields nested in each other, introspection left out."""
    root_fields: int = 0
    defaults: dict[str, int] = field(default_factory=dict)
    """The defaults of variables that are whole numbers."""


@dataclass(slots=True)
class Outline:
    """A document."""

    operations: list[Definition]
    fragments: Mapping[str, Definition]
    longest_list: int
    page_sizes: list[PageSize]
    nesting: int
    """Selection sets in each other, of introspection and of inline fragments, too."""


class NoOutlineError(ValueError):
    """The text is no document of operations and fragments, or is not well-formed."""


def tokens_of(text: str) -> list[str]:
    """Return the tokens, comments among them."""
    return _TOKENS.findall(text)


def outline_of(tokens: list[str]) -> Outline:
    """Return the outline of a document with these tokens. Raises NoOutlineError."""
    reader = _Reader([token for token in tokens if token[0] != "#"])
    try:
        return reader.document()
    except IndexError:
        raise NoOutlineError from None


class _Reader:
    """Reads from front to end, without recursion: documents may be nested deeply."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, _END]
        self._position = 0
        self._longest_list = self._nesting = 0
        self._page_sizes: list[PageSize] = []

    def document(self) -> Outline:
        operations: list[Definition] = []
        fragments: dict[str, Definition] = {}
        while self._peek() != _END:
            definition = self._definition()
            if definition.kind == "fragment":
                name = definition.name or ""
                if name in fragments:  # validation refuses it, but looks at both
                    name = f"{name} {len(fragments)}"
                fragments[name] = definition
            else:
                operations.append(definition)
        return Outline(operations, fragments, self._longest_list, self._page_sizes, self._nesting)

    def _definition(self) -> Definition:
        if self._peek()[0] == '"':  # a description
            self._next()
        kind = "query" if self._peek() == "{" else self._next()
        definition = Definition(kind)
        if kind == "fragment":
            definition.name = self._next()
            self._expect("on")
            definition.on = self._next()
        elif kind not in ("query", "mutation", "subscription"):
            raise NoOutlineError
        else:
            if _NAME.match(self._peek()):
                definition.name = self._next()
            if self._peek() == "(":
                self._variables(definition)
        self._directives(definition)
        self._expect("{")
        self._selections(definition)
        return definition

    def _selections(self, definition: Definition) -> None:
        tokens = self._tokens
        open_: list[tuple[list[Field | Spread], str | None, int, bool]] = [
            (definition.selections, None, 0, False)
        ]
        while open_:
            self._nesting = max(self._nesting, len(open_))
            selections, on, depth, introspects = open_[-1]
            lexeme = self._next()
            if lexeme == "}":
                open_.pop()
            elif lexeme == "...":
                if _NAME.match(self._peek()) and self._peek() != "on":
                    spread = Spread(self._next(), on, depth, introspects)
                    selections.append(spread)
                    definition.spreads.append(spread)
                    self._directives(definition)
                    continue
                if self._peek() == "on":
                    self._next()
                    on = self._next()
                self._directives(definition)
                self._expect("{")
                open_.append((selections, on, depth, introspects))
            else:
                key = lexeme
                if tokens[self._position] == ":":
                    self._next()
                    lexeme = self._next()
                    definition.aliases += 1
                selection = Field(key, lexeme, on)
                selections.append(selection)
                if tokens[self._position] == "(":
                    selection.sizes = self._arguments()
                if tokens[self._position] == "@":
                    self._directives(definition)
                introspects = introspects or lexeme in INTROSPECTION
                if depth == 0:
                    definition.root_fields += 1
                if not introspects and depth >= definition.depth:
                    definition.depth = depth + 1
                if tokens[self._position] == "{":
                    self._next()
                    open_.append((selection.selections, None, depth + 1, introspects))

    def _arguments(self) -> tuple[PageSize, ...]:
        self._expect("(")
        sizes: list[PageSize] = []
        while self._peek() != ")":
            name = self._next()
            self._expect(":")
            if name in PAGE_ARGUMENTS:
                if _INT.match(self._peek()):
                    sizes.append(int(self._peek()[:_DIGITS]))
                elif self._peek() == "$":
                    sizes.append(self._tokens[self._position + 1])
            self._value()
        self._next()
        self._page_sizes += sizes
        return tuple(sizes)

    def _variables(self, definition: Definition) -> None:
        self._expect("(")
        name = ""
        while (lexeme := self._next()) != ")":
            if lexeme == "$":
                name = self._next()
            elif lexeme == "@":
                self._position -= 1
                self._directives(definition)
            elif lexeme == "=":
                if _INT.match(self._peek()):
                    definition.defaults[name] = int(self._peek()[:_DIGITS])
                self._value()

    def _directives(self, definition: Definition) -> None:
        while self._peek() == "@":
            self._position += 2
            definition.directives += 1
            if self._peek() == "(":
                page_sizes = self._page_sizes
                self._page_sizes = []  # those of directives are their own affair
                self._arguments()
                self._page_sizes = page_sizes

    def _value(self) -> None:
        """Skip a value; count the items of its lists."""
        open_: list[int | None] = []  # the items of each list; None for an object
        while True:
            lexeme = self._next()
            if lexeme in ("]", "}"):
                items = open_.pop()
                self._longest_list = max(self._longest_list, items or 0)
            else:
                if open_ and (items := open_[-1]) is not None:
                    open_[-1] = items + 1
                if lexeme == "[":
                    open_.append(0)
                elif lexeme == "{":
                    open_.append(None)
                elif lexeme == "$":
                    self._next()
            if not open_:
                return

    def _peek(self) -> str:
        return self._tokens[self._position]

    def _next(self) -> str:
        token = self._tokens[self._position]
        self._position += 1
        return token

    def _expect(self, expected: str) -> None:
        if self._next() != expected:
            raise NoOutlineError
