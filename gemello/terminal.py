"""What others named, shown on a terminal without doing anything to it."""

import re
from typing import Any

from rich.console import Console
from rich.text import Text

# Control characters but for line ends and tabs, ends of lines that only some programs see, marks that
# turn the direction of what follows, and what no UTF-8 can hold.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    """Return ``text`` with what would move the cursor, colour the terminal or fake a line as escapes."""
    return _ACTIVE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Terminal(Console):
    """A console on which texts are escaped, those in the cells of a table, too."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escaped(text), **options)
