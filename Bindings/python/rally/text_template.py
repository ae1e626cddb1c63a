"""What a rater reads of a row that has more than a text: ``{url}\\n\\n{text}``."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from itertools import zip_longest

from .content import ContentError, name_of
from .errors import RallyError, Status

#: The text alone; no template is needed for it.
PLAIN = "{text}"


class Template:
    """A text with members of a row in braces; ``{text}`` is the column that is rated, ``{{`` a brace.

    Parameters
    ----------
    text : str
    where : str
        Who wrote it, for messages.

    Attributes
    ----------
    members : tuple of str
        Columns besides the one that is rated, each once.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: it is no template, or has no ``{text}``.
    """

    def __init__(self, text: str, where: str = "template") -> None:
        try:
            self._parts = [(before, name) for before, name, _, _ in string.Formatter().parse(text)]
            self._check(text)
        except ValueError as error:
            message = f"{where}: expected a text with members such as {{url}}\\n\\n{{text}}, found {text!r}: {error}"
            raise RallyError(Status.INVALID_ARGUMENT, message) from None
        self.text = text
        names = [name for _, name in self._parts if name not in (None, "text")]
        self.members: tuple[str, ...] = tuple(dict.fromkeys(name for name in names if name))

    def _check(self, text: str) -> None:
        for _, name, form, conversion in string.Formatter().parse(text):
            if name == "" or form or conversion:
                raise ValueError("braces hold the name of a member alone")
        if all(name != "text" for _, name in self._parts):
            raise ValueError("there is no {text}")

    def filled(self, text: bytes, members: Sequence[object]) -> bytes:
        """The text that is read, in UTF-8.

        `members`: of the row, in the order of `members`.

        Raises
        ------
        ContentError
            The row has no such member.
        """
        found = {"text": text}
        for name, value in zip_longest(self.members, members):  # a line of plain text has none
            known = name_of(value)
            if known is None:
                raise ContentError(f"no {name}, which stands in the rater's text template")
            found[name] = known.encode()
        return b"".join(before.encode() + (b"" if name is None else found[name]) for before, name in self._parts)

    def label(self, of_file: str | None) -> str:
        """The pair of a label that parts these scores from those of texts alone."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:16]
        return f"template={'file' if self.text == of_file else digest}"


def template_of(asked: str | None, of_file: str | None, path: str) -> Template | None:
    """The template to apply: the one that is asked for, or that of the model's file; None: the text alone."""
    text = of_file if asked is None else asked
    if text is None or text == PLAIN:
        return None
    return Template(text, path if asked is None else "template")
