"""What the generator makes of a header, and that the tree is what it writes."""

from __future__ import annotations

import ast
import re

import pytest

from generate.derived import ROOT, derived, outdated
from generate.header import CType, HeaderError, parse
from generate.page import names, page

HEADER = (ROOT / "include" / "rally.h").read_text(encoding="utf-8")

SMALL = """
#define RALLY_VERSION_MAJOR 3
#define RALLY_VERSION_MINOR 4
#define RALLY_VERSION_PATCH 5
/* What a call answers. */
typedef enum rally_status {
  RALLY_OK = 0,

  /* The arguments. */
  RALLY_BAD_NUMBER = 1, /* a number that is none */
  RALLY_BAD_TEXT = -2
} rally_status;
typedef enum rally_mode { RALLY_MODE_SLOW = 0, RALLY_MODE_FAST = 1 } rally_mode;

/* Why it failed. */
typedef struct rally_error {
  size_t struct_size;
  rally_status code;
  char message[12];
} rally_error;

/* A thing. */
typedef struct rally_thing rally_thing;
/* Called with
 * each text. */
typedef int32_t (*rally_callback)(void *user, const rally_error *error, const char *text);

typedef struct rally_options {
  size_t struct_size;
  rally_mode mode;      /* RALLY_MODE_FAST (default): at once */
  float share;          /* 0.5 (default). In [0, 1], and
                           so on */
  rally_callback call;  /* NULL (default): none */
  const char *const *texts; /* [count] */
} rally_options;
void rally_options_init(rally_options *options, size_t size);

/*
 * Opens it:
 *
 *     rally_open(NULL)
 *
 * tokens: [count] <any>. Errors: RALLY_BAD_NUMBER.
 */
rally_status rally_open(const rally_options *options, const int32_t *tokens, rally_thing **thing, rally_error *error);

/* Both: one or all. */
void rally_stop(rally_thing *thing);
void rally_stop_all(void);
#ifdef __cplusplus
}
#endif
"""


def test_the_tree_is_what_the_header_says() -> None:
    assert [str(path.relative_to(ROOT)) for path in outdated()] == []


def test_declarations() -> None:
    header = parse(SMALL)
    assert header.version == "3.4.5"
    assert [(c.name, c.value, c.doc, c.heading) for c in header.choices[0].constants] == [
        ("RALLY_OK", 0, "", ""),
        ("RALLY_BAD_NUMBER", 1, "a number that is none", "The arguments."),
        ("RALLY_BAD_TEXT", -2, "", ""),
    ]
    assert [header.choices[1].short(constant) for constant in header.choices[1].constants] == ["SLOW", "FAST"]
    options = next(struct for struct in header.structs if struct.name == "rally_options")
    assert [field.default for field in options.fields] == ["0", "RALLY_MODE_FAST", "0.5", "0", "0"]
    assert options.fields[-1].type == CType("char", (True, True))
    assert [struct.doc for struct in header.structs] == ["Why it failed.", ""]
    assert [handle.doc for handle in header.handles] == ["A thing."]
    assert [callback.doc for callback in header.callbacks] == ["Called with\neach text."]
    functions = {function.name: function for function in header.functions}
    assert functions["rally_stop_all"].doc == functions["rally_stop"].doc == "Both: one or all."
    assert functions["rally_stop_all"].parameters == ()
    assert [name for name in functions if header.is_fallible(functions[name])] == ["rally_open"]


def test_every_language_has_all_of_it() -> None:
    files = derived(SMALL)
    rust = files["Bindings/rust/rally-sys/src/functions.rs"]
    assert "    /// ```text\n    /// rally_open(NULL)\n    /// ```\n" in rust
    assert r"    /// tokens: \[count\] \<any\>." in rust
    assert "pub texts: *const *const c_char," in files["Bindings/rust/rally-sys/src/structs.rs"]
    assert "pub message: [c_char; 12]," in files["Bindings/rust/rally-sys/src/structs.rs"]
    assert "BadText," in files["Bindings/rust/rally/src/codes.rs"]
    swift = files["Sources/RallyC/Generated/Structs.swift"]
    assert "    unsafe value.mode = RALLY_MODE_FAST\n    unsafe value.share = 0.5\n    return" in swift
    assert "case badNumber = 1" in files["Sources/Files/RallyError+Code.swift"]
    assert "FIELD(rally_options, texts)" in files["Tests/ABI/generated/places.inc"]
    assert "INIT(rally_error" not in files["Tests/ABI/generated/inits.inc"]
    python = {path: text for path, text in files.items() if path.endswith(".py")}
    for text in python.values():
        ast.parse(text)
    assert (
        "Callback = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_char_p)" in python["Bindings/python/rally/_c/structs.py"]
    )
    assert (
        '"rally_open": (POINTER(Options), Address, POINTER(Handle)),' in python["Bindings/python/rally/_c/functions.py"]
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("typedef enum rally_mode { RALLY_SLOW } rally_mode;", "RALLY_SLOW needs its number"),
        ("typedef int rally_number;", "no rule for the typedef rally_number"),
        ("extern int rally_global;", "expected a typedef or a function"),
        ("typedef struct rally_pair { struct { int a; } b; } rally_pair;", "no rule for this type"),
    ],
)
def test_what_has_no_rule_is_named(text: str, named: str) -> None:
    with pytest.raises(HeaderError, match=named):
        parse(text)


def test_defaults_name_constants_or_numbers() -> None:
    header = parse(HEADER)
    constants = {constant.name for choice in header.choices for constant in choice.constants}
    for struct in header.structs:
        for field in struct.fields:
            assert field.default in constants or re.fullmatch(r"-?\d+(\.\d+)?", field.default), (
                struct.name,
                field.name,
            )


def test_all_that_hosts_see_has_a_comment() -> None:
    header = parse(HEADER)
    named = [*header.handles, *header.choices, *header.structs, *header.callbacks]
    functions = [function for function in header.functions if not function.name.endswith("_init")]
    assert [each.name for each in [*named, *functions] if not each.doc] == []


def test_the_page_has_a_place_for_every_name() -> None:
    text = page(HEADER)
    known = names(parse(HEADER))
    assert len(known) > 50
    for name in known:
        assert text.count(f'<b id="{name}">') == 1, name
        assert f'<li><a href="#{name}">' in text
    assert "<stdint.h>" not in text, "what HTML would take for a tag is escaped"
