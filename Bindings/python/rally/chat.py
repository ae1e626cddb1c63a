"""Chats: messages become the text, or the tokens, that a model was trained to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, overload

from .errors import RallyError, Status

if TYPE_CHECKING:
    from jinja2 import Template

Message = Mapping[str, Any]


class Chat:
    """What `Model` has for chats: its file's Jinja template, applied as transformers applies it."""

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata, in its order."""
        raise NotImplementedError

    def encode(
        self,
        text: str | bytes,
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        parse_special: bool | None = None,
    ) -> list[int]:
        """The token ids of a text."""
        raise NotImplementedError

    def decode(self, ids: Any, skip_special: bool = False) -> str:
        """The text of token ids."""
        raise NotImplementedError

    @overload
    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        *,
        tokenize: Literal[True] = True,
        add_generation_prompt: bool = False,
        chat_template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> list[int]: ...

    @overload
    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        *,
        tokenize: Literal[False],
        add_generation_prompt: bool = False,
        chat_template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> str: ...

    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        *,
        tokenize: bool = True,
        add_generation_prompt: bool = False,
        chat_template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> list[int] | str:
        """A conversation as the model's chat template writes it; needs the package jinja2.

        Parameters
        ----------
        conversation : sequence of mappings
            Each with ``role`` and ``content``, and what else the template reads.
        tokenize : bool
            True: the token ids, with no further first or last token. False: the text.
        add_generation_prompt : bool
            Whether the beginning of an answer follows. True for a prompt of `generate`.
        chat_template : str, optional
            Another template than the file's.
        tools : sequence of JSON schemas, optional
        **variables
            Further variables of the template, such as ``enable_thinking``.

        Returns
        -------
        list of int, or str

        Raises
        ------
        RallyError
            UNSUPPORTED: the file has no chat template, or jinja2 is not installed. INVALID_ARGUMENT: the template is no
            Jinja, or refuses the conversation.

        Notes
        -----
        A template is a program of whoever made the file. It runs in Jinja's sandbox: it reaches no files and no
        network, but it may run for long. What a message says is part of the text: ``<|im_end|>`` in it becomes that
        token.
        """
        metadata = self.metadata
        template = chat_template if chat_template is not None else metadata.get("rally.chat_template")
        if template is None:
            raise RallyError(
                Status.UNSUPPORTED,
                "the model file has no rally.chat_template; convert it with one, or give chat_template",
            )
        names = {f"{name}_token": self._token(metadata, name) for name in ("bos", "eos", "unk", "pad")}
        known = {name: text for name, text in names.items() if text is not None}
        values = {"messages": list(conversation), "add_generation_prompt": add_generation_prompt, "tools": tools}
        text = render(template, {**known, "documents": None, **values, **variables})
        return self.encode(text, add_bos=False, add_eos=False) if tokenize else text

    def _token(self, metadata: dict[str, str], name: str) -> str | None:
        number = metadata.get(f"rally.{name}_token_id", "none")
        return self.decode([int(number)]) if number.isdigit() else None


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template; the functions it may call are those of transformers."""
    try:
        from jinja2 import TemplateError
    except ImportError:
        raise RallyError(Status.UNSUPPORTED, "a chat template needs the package jinja2: pip install jinja2") from None
    try:
        return _compiled(template).render(**values)
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())
        raise RallyError(
            Status.INVALID_ARGUMENT, f"the chat template cannot write this conversation: {reason}"
        ) from None


@lru_cache(maxsize=16)
def _compiled(template: str) -> Template:
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks what an assistant wrote, for training: the text stays as it is."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)
