"""The table of features by host: what the header offers is reached from C++, Rust, Python and Swift, or stands here with a reason.

A feature is a function of the header, or a field of one of its structs. Being in the header and in this table is not being
right: each host's own tests say that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from generate.derived import ROOT
from generate.header import Header, parse

BINDINGS = ROOT / "Bindings"
LOADED = "bindings compare layouts when they load, in what `make generate` writes"

#: What a host does without, and why.
ABSENT = {
    "cpp": {
        "rally_abi_layout": "compiled with the header itself",
    },
    "rust": {
        "rally_abi_layout": LOADED,
        "rally_status_name": "`Code` is an enum whose names are its own",
    },
    "python": {
        "rally_version_number": "`rally.version()` is compared as text with the package's own",
        "rally_status_name": "`Status` is an enum whose names are its own",
        "rally_model_metadata_get": "`Model.metadata` is a dict",
        "rally_decoder_open": "`Event.text` is whole characters; `codecs` decodes any other stream of bytes",
        "rally_decoder_push": "as rally_decoder_open",
        "rally_decoder_finish": "as rally_decoder_open",
        "rally_decoder_close": "as rally_decoder_open",
        "rally_engine_run": "an Engine is an iterator, so that Ctrl-C is seen between steps",
        "rally_model_options.progress_user": "a closure",
        "rally_model_options.log_user": "a closure",
        "rally_quantize_options.progress_user": "a closure",
        "rally_prepare_options.progress_user": "a closure",
        "rally_runner_options.progress_user": "a closure",
        "rally_lineage_options.progress_user": "a closure",
        "rally_request.on_logits_user": "a closure",
        "rally_event.text_length": "`Event.text` knows its length",
    },
}

#: The public declaration after each function of C in Swift, which the C interface is written on top of. Functions that are not
#: here open and close handles, size buffers or fill structs: initialisers, deinit and properties there.
SWIFT = {
    "rally_instruction_set": "static var current: String",
    "rally_model_open": "func open(path: String",
    "rally_model_open_memory": "func open(",
    "rally_model_validate": "func validate(path: String",
    "rally_quantize": "func quantize(",
    "rally_model_prepare": "func prepare(",
    "rally_model_get_info": "let info: ModelInfo",
    "rally_model_label": "let labels: [String]",
    "rally_model_metadata_at": "let metadata: [MetadataPair]",
    "rally_model_tensor_at": "let tensors: [TensorInfo]",
    "rally_model_vocabulary": "func tokenBytes(",
    "rally_encode": "func encode(",
    "rally_decode": "func decode(",
    "rally_decoder_open": "struct StreamDecoder",
    "rally_decoder_push": "func push(",
    "rally_decoder_finish": "func finish(",
    "rally_pool_open": "class WorkerPool",
    "rally_runner_open": "class Runner",
    "rally_runner_cancel": "func cancel()",
    "rally_runner_memory": "func byteCount(offsets: [Int], newTokens: Int)",
    "rally_run": "func run(",
    "rally_rate": "func rate(",
    "rally_rate_outputs": "func rateOutputs(",
    "rally_pooled": "func pooled(",
    "rally_encode_document": "func encodeDocument(",
    "rally_document_windows": "func plan(",
    "rally_rate_documents": "struct DocumentScores",
    "rally_score_fingerprint": "func scoreFingerprint(",
    "rally_score_label": "func scoreLabel(",
    "rally_same_tokens": "func readsTokens(of other: Model)",
    "rally_generate": "func generate(",
    "rally_engine_open": "class Engine",
    "rally_engine_memory": "struct EngineMemory",
    "rally_engine_submit": "func submit(_ request: GenerationRequest)",
    "rally_engine_wait": "func wait(seconds: Double)",
    "rally_engine_cancel": "func cancel(_ request: Int)",
    "rally_engine_cancel_all": "func cancelAll()",
    "rally_engine_step": "func step(",
    "rally_engine_run": "func run(_ onEvent",
    "rally_engine_counters": "var counters: [EngineCounter]",
    "rally_engine_save": "func save(_ request: Int",
    "rally_engine_restore": "func restore(_ bytes",
    "rally_lineage": "func compare(",
    "rally_exposure": "func measure(",
    "rally_request.user": "var tag: UInt",
    "rally_request.timeout_seconds": "var timeout",
    "rally_request.on_logits": "var logitsProcessor: LogitsProcessor?",
    "rally_engine_options.max_queue": "var queueLimit",
    "rally_model_options.max_memory_bytes": "var memoryByteLimit",
    "rally_model_options.pool": "var pool: WorkerPool?",
    "rally_event.cut_length": "var cutByteCount",
}


@pytest.fixture(scope="module")
def header() -> Header:
    return parse((ROOT / "include" / "rally.h").read_text(encoding="utf-8"))


def _text(files: Iterable[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _cpp(header: Header) -> set[str]:
    """Names in the C++ header; a struct that callers fill themselves is reached with all its fields."""
    text = _text(sorted((ROOT / "include").rglob("*.hpp")))
    taken = set(
        re.findall(r"(?:const |inline )?(rally_\w+)> ?tensors|(?:const |inline )?(rally_\w+) &?\w+(?: =|\()", text)
    )
    whole = {name for pair in taken for name in pair}
    whole |= {"rally_event", "rally_logits"}  # given to the caller's own functions as they are
    fields = {
        f"{struct.name}.{field.name}" for struct in header.structs if struct.name in whole for field in struct.fields
    }
    return set(re.findall(r"\w+", text)) | fields | _fields(header, text)


def _fields(header: Header, text: str) -> set[str]:
    """Fields that are set or read by name, in the structs that the text names."""
    named = set(re.findall(r"\.(\w+)|\"(\w+)\"", text))
    used = {word for pair in named for word in pair}
    return {f"{struct.name}.{field.name}" for struct in header.structs for field in struct.fields if field.name in used}


def _rust(header: Header) -> set[str]:
    text = _text(sorted((BINDINGS / "rust" / "rally" / "src").glob("*.rs")))
    return set(re.findall(r"\w+", text)) | _fields(header, text)


def _python(header: Header) -> set[str]:
    package = BINDINGS / "python" / "rally"
    text = _text(file for file in sorted(package.rglob("*.py")) if "_c" not in file.relative_to(package).parts)
    words = set(re.findall(r"\w+", text))  # parameters and attributes carry the fields' names
    return words | {
        f"{struct.name}.{field.name}" for struct in header.structs for field in struct.fields if field.name in words
    }


def _features(header: Header) -> list[str]:
    functions = [function.name for function in header.functions if not function.name.endswith("_init")]
    fields = [
        f"{struct.name}.{field.name}"
        for struct in header.structs
        for field in struct.fields
        if field.name != "struct_size"
    ]
    return functions + fields


@pytest.mark.parametrize(("host", "reached"), [("cpp", _cpp), ("rust", _rust), ("python", _python)])
def test_every_feature_is_reached(header: Header, host: str, reached) -> None:
    found = reached(header)
    features = _features(header)
    missing = {feature for feature in features if feature not in found and feature not in ABSENT[host]}
    assert not missing, f"{host} has no way to {sorted(missing)}; add it, or say in ABSENT why not"
    assert not {name for name in ABSENT[host] if name not in features}, "the header no longer has these"
    assert not {name for name in ABSENT[host] if name in found}, "reached after all"


def test_swift_has_what_the_c_interface_is_written_on(header: Header) -> None:
    folders = [folder for folder in (ROOT / "Sources").iterdir() if folder.name not in ("RallyC", "rally-cli")]
    lines = _text(file for folder in folders for file in sorted(folder.rglob("*.swift"))).splitlines()
    public = [line.strip() for line in lines if re.match(r"\s*(@\w+ )*public ", line)]
    features = set(_features(header))
    assert SWIFT.keys() <= features, sorted(SWIFT.keys() - features)
    missing = {name: words for name, words in SWIFT.items() if not any(words in line for line in public)}
    assert not missing, missing
    verbs = {
        name for name in features if "." not in name and re.search(r"_(submit|wait|step|run|rate|generate)$", name)
    }
    assert verbs <= SWIFT.keys(), f"of no declaration in Swift: {sorted(verbs - SWIFT.keys())}"
