"""The C interface (``include/rally.h``) as ctypes sees it: structs, prototypes, loading.

Everything that the rest of the package knows about the shared library is declared here, once. When the library is
loaded, its own account of its structs (``rally_abi_layout``) is compared with these declarations.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
)
from functools import cache
from pathlib import Path
from typing import Any

from .errors import RallyError, Status

LIBRARY_NAME = "librally.so.0"
LIBRARY_VARIABLE = "RALLY_LIBRARY"

# Arrays and opaque handles are addresses: NumPy owns the memory, the caller keeps it alive for the length of the call.
Address = c_void_p
Handle = c_void_p

LogCallback = CFUNCTYPE(None, c_void_p, c_int, c_char_p)
ProgressCallback = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)

DTYPES = {"auto": 0, "f32": 1, "bf16": 2, "int8": 3}
DTYPE_NAMES = {value: name for name, value in DTYPES.items()}
KIND_NAMES = {0: "lm", 1: "rater"}
ROUTING_NAMES = {0: "none", 1: "expert", 2: "token"}
SELECTIONS = {"threshold": 0, "topk": 1}
SWITCHES = {None: -1, False: 0, True: 1}
BATCHINGS = {"depth": 0, "sequence": 1}


class Error(Structure):
    _fields_ = [("struct_size", c_size_t), ("code", c_int), ("message", c_char * 1020)]


class ModelOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("threads", c_uint32),
        ("max_file_bytes", c_uint64),
        ("max_tensor_bytes", c_uint64),
        ("progress", ProgressCallback),
        ("progress_user", c_void_p),
        ("log", LogCallback),
        ("log_user", c_void_p),
    ]


class QuantizeOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("progress", ProgressCallback),
        ("progress_user", c_void_p),
    ]


class ModelInfo(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_int),
        ("routing", c_int),
        ("dtype", c_int),
        ("vocab_size", c_int32),
        ("hidden_size", c_int32),
        ("num_attention_heads", c_int32),
        ("num_key_value_heads", c_int32),
        ("head_dim", c_int32),
        ("intermediate_size", c_int32),
        ("max_position_embeddings", c_int32),
        ("num_layers", c_int32),
        ("num_effective_layers", c_int32),
        ("num_recursion", c_int32),
        ("bos_token_id", c_int32),
        ("eos_token_id", c_int32),
        ("has_tokenizer", c_int32),
        ("parameter_count", c_uint64),
        ("effective_parameter_count", c_uint64),
        ("weight_bytes", c_uint64),
        ("kv_bytes_per_token", c_uint64),
    ]


class TensorInfo(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("dtype", c_char_p),
        ("rank", c_int32),
        ("shape", c_int64 * 2),
        ("byte_count", c_uint64),
    ]


class TokenizerOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("add_bos", c_int),
        ("add_eos", c_int),
        ("parse_special", c_int),
        ("skip_special", c_int),
    ]


class RunnerOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_uint32),
        ("max_batch_tokens", c_uint32),
        ("progress", ProgressCallback),
        ("progress_user", c_void_p),
    ]


class RunOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("selection", c_int),
        ("max_depth", c_uint32),
        ("timeout_seconds", c_double),
        ("target_depth", c_double),
    ]


class Outputs(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("positions", Address),
        ("position_count", c_size_t),
        ("logits", Address),
        ("hidden", Address),
        ("targets", Address),
        ("logprobs", Address),
        ("depths", Address),
    ]


class RateOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("squash", c_int), ("timeout_seconds", c_double)]


class DocumentOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("window_tokens", c_size_t),
        ("stride_tokens", c_size_t),
        ("max_windows", c_size_t),
        ("squash", c_int),
        ("timeout_seconds", c_double),
    ]


class DocumentScores(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("mean", Address),
        ("minimum", Address),
        ("coverage", Address),
        ("window_scores", Address),
        ("window_capacity", c_size_t),
        ("window_offsets", Address),
    ]


class DistributionInfo(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("label", c_char_p),
        ("capacity", c_size_t),
        ("count", c_uint64),
        ("minimum", c_float),
        ("maximum", c_float),
        ("rank_error", c_double),
    ]


class Request(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("tokens", Address),
        ("token_count", c_size_t),
        ("max_tokens", c_size_t),
        ("temperature", c_float),
        ("top_k", c_int32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("seed", c_uint64),
        ("stop_tokens", Address),
        ("stop_token_count", c_size_t),
        ("stop_at_eos", c_int),
        ("max_depth", c_uint32),
        ("target_depth", c_double),
        ("repetition_penalty", c_float),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
        ("bias_tokens", Address),
        ("bias_values", Address),
        ("bias_count", c_size_t),
        ("stop_strings", Address),
        ("stop_string_count", c_size_t),
        ("top_logprobs", c_uint32),
        ("priority", c_int32),
    ]


class ExposureScores(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("jeffreys", Address),
        ("log_ratio", Address),
        ("token_counts", Address),
    ]


class LineageOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("permutations", c_uint64),
        ("seed", c_uint64),
        ("threads", c_uint32),
        ("progress", ProgressCallback),
        ("progress_user", c_void_p),
    ]


class Matrix(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("set", c_char_p),
        ("data", Address),
        ("rows", c_size_t),
        ("columns", c_size_t),
    ]


class LineageResult(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("verdict", c_int),
        ("p", c_double),
        ("rho", c_double),
        ("permutations", c_uint64),
        ("seed", c_uint64),
        ("tensor_count", c_size_t),
        ("set_count", c_size_t),
        ("head_count", c_size_t),
    ]


class LineageEntry(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("set", c_char_p),
        ("units", c_size_t),
        ("all_units", c_size_t),
        ("rho", c_double),
        ("z", c_double),
        ("p", c_double),
        ("reached", c_uint64),
    ]


class Event(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("request", c_size_t),
        ("index", c_size_t),
        ("token", c_int32),
        ("depth", c_int32),
        ("logprob", c_float),
        ("finish_reason", c_int),
        ("stop_string", c_int32),
        ("top_count", c_size_t),
        ("top_tokens", POINTER(c_int32)),
        ("top_logprobs", POINTER(c_float)),
    ]


# An event comes as its address: copying its bytes is several times cheaper than a pointer object for each.
EventCallback = CFUNCTYPE(c_int32, c_void_p, c_void_p)


class EngineOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_uint32),
        ("max_step_tokens", c_uint32),
        ("max_sequences", c_uint32),
        ("cache_bytes", c_uint64),
        ("batching", c_int),
        ("share_prefixes", c_int),
    ]


class Generation(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("stride", c_size_t),
        ("tokens", Address),
        ("depths", Address),
        ("logprobs", Address),
        ("token_counts", Address),
        ("finish_reasons", Address),
        ("prompt_depths", Address),
        ("timeout_seconds", c_double),
    ]


STRUCTS: dict[str, type[Structure]] = {
    "rally_error": Error,
    "rally_model_options": ModelOptions,
    "rally_quantize_options": QuantizeOptions,
    "rally_model_info": ModelInfo,
    "rally_tensor_info": TensorInfo,
    "rally_tokenizer_options": TokenizerOptions,
    "rally_runner_options": RunnerOptions,
    "rally_run_options": RunOptions,
    "rally_outputs": Outputs,
    "rally_rate_options": RateOptions,
    "rally_document_options": DocumentOptions,
    "rally_document_scores": DocumentScores,
    "rally_distribution_info": DistributionInfo,
    "rally_request": Request,
    "rally_event": Event,
    "rally_generation": Generation,
    "rally_engine_options": EngineOptions,
    "rally_lineage_options": LineageOptions,
    "rally_matrix": Matrix,
    "rally_lineage_result": LineageResult,
    "rally_lineage_entry": LineageEntry,
    "rally_exposure_scores": ExposureScores,
}

# Functions that return a status and take a `rally_error *` last; that last argument is left out here.
_FALLIBLE: dict[str, tuple[Any, ...]] = {
    "rally_model_open": (c_char_p, POINTER(ModelOptions), POINTER(Handle)),
    "rally_model_open_memory": (Address, c_size_t, POINTER(ModelOptions), POINTER(Handle)),
    "rally_model_validate": (c_char_p, POINTER(ModelOptions)),
    "rally_quantize": (c_char_p, c_char_p, POINTER(QuantizeOptions)),
    "rally_model_get_info": (Handle, POINTER(ModelInfo)),
    "rally_model_metadata_at": (Handle, c_size_t, POINTER(c_char_p), POINTER(c_char_p)),
    "rally_model_metadata_get": (Handle, c_char_p, POINTER(c_char_p)),
    "rally_model_tensor_at": (Handle, c_size_t, POINTER(TensorInfo)),
    "rally_encode": (
        Handle, c_char_p, c_size_t, POINTER(TokenizerOptions), Address, c_size_t, POINTER(c_size_t),
    ),
    "rally_decode": (
        Handle, Address, c_size_t, POINTER(TokenizerOptions), Address, c_size_t, POINTER(c_size_t),
    ),
    "rally_decoder_open": (Handle, POINTER(TokenizerOptions), POINTER(Handle)),
    "rally_decoder_push": (Handle, c_int32, Address, c_size_t, POINTER(c_size_t)),
    "rally_decoder_finish": (Handle, Address, c_size_t, POINTER(c_size_t)),
    "rally_runner_open": (Handle, POINTER(RunnerOptions), POINTER(Handle)),
    "rally_runner_memory": (Handle, Address, c_size_t, c_size_t, POINTER(c_uint64)),
    "rally_run": (Handle, Address, Address, c_size_t, POINTER(RunOptions), POINTER(Outputs)),
    "rally_rate": (Handle, Address, Address, c_size_t, POINTER(RateOptions), Address),
    "rally_document_windows": (Handle, Address, Address, c_size_t, POINTER(DocumentOptions), Address),
    "rally_rate_documents": (
        Handle, Address, Address, c_size_t, POINTER(DocumentOptions), POINTER(DocumentScores),
    ),
    "rally_draw_count": (c_size_t, c_double, POINTER(c_size_t)),
    "rally_select_top": (Address, c_size_t, c_size_t, Address),
    "rally_softmax_weights": (Address, c_size_t, Address),
    "rally_acceptance": (Address, c_size_t, c_size_t, c_size_t, Address),
    "rally_decide": (c_char_p, Address, Address, c_size_t, c_char_p, c_uint64, Address),
    "rally_rating_cost": (c_double, c_double, c_double, POINTER(c_double)),
    "rally_distribution_open": (c_char_p, c_size_t, POINTER(Handle)),
    "rally_distribution_add": (Handle, Address, c_size_t),
    "rally_distribution_merge": (Handle, Handle),
    "rally_distribution_cdf": (Handle, Address, c_size_t, Address),
    "rally_distribution_quantile": (Handle, Address, c_size_t, Address),
    "rally_distribution_get_info": (Handle, POINTER(DistributionInfo)),
    "rally_distribution_save": (Handle, Address, c_size_t, POINTER(c_size_t)),
    "rally_distribution_load": (Address, c_size_t, POINTER(Handle)),
    "rally_generate": (Handle, POINTER(Request), c_size_t, EventCallback, c_void_p, POINTER(Generation)),
    "rally_engine_memory": (Handle, POINTER(EngineOptions), POINTER(c_uint64)),
    "rally_engine_open": (Handle, POINTER(EngineOptions), POINTER(Handle)),
    "rally_engine_submit": (Handle, POINTER(Request), POINTER(c_size_t)),
    "rally_engine_step": (Handle, EventCallback, c_void_p, POINTER(c_int32)),
    "rally_engine_run": (Handle, EventCallback, c_void_p),
    "rally_engine_counters": (Handle, Address, c_size_t),
    "rally_engine_save": (Handle, c_size_t, Address, c_size_t, POINTER(c_size_t)),
    "rally_engine_restore": (Handle, Address, c_size_t, POINTER(Request), POINTER(c_size_t)),
    "rally_lineage": (c_char_p, c_char_p, POINTER(LineageOptions), POINTER(Handle)),
    "rally_lineage_matrices": (
        POINTER(Matrix), c_size_t, POINTER(Matrix), c_size_t, POINTER(LineageOptions), POINTER(Handle),
    ),
    "rally_exposure": (Handle, Handle, Address, Address, c_size_t, Address, POINTER(ExposureScores)),
    "rally_lineage_get_result": (Handle, POINTER(LineageResult)),
    "rally_lineage_entry_at": (Handle, c_int, c_size_t, POINTER(LineageEntry)),
}  # fmt: skip

_PLAIN: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "rally_version": (c_char_p, ()),
    "rally_abi_layout": (c_char_p, ()),
    "rally_instruction_set": (c_char_p, ()),
    "rally_status_name": (c_char_p, (c_int,)),
    "rally_model_close": (None, (Handle,)),
    "rally_model_metadata_count": (c_size_t, (Handle,)),
    "rally_model_tensor_count": (c_size_t, (Handle,)),
    "rally_decoder_close": (None, (Handle,)),
    "rally_runner_close": (None, (Handle,)),
    "rally_runner_cancel": (None, (Handle,)),
    "rally_distribution_close": (None, (Handle,)),
    "rally_engine_close": (None, (Handle,)),
    "rally_engine_cancel": (None, (Handle, c_size_t)),
    "rally_engine_cancel_all": (None, (Handle,)),
    "rally_engine_counter_count": (c_size_t, (Handle,)),
    "rally_engine_counter_name": (c_char_p, (Handle, c_size_t)),
    "rally_lineage_close": (None, (Handle,)),
    "rally_lineage_verdict_text": (c_char_p, (c_int,)),
}


class Library:
    """The loaded library, its prototypes declared and its struct layout checked.

    Parameters
    ----------
    path : str
        A file, or a name for the system's loader.

    Raises
    ------
    OSError
        The file cannot be loaded.
    ImportError
        It is another version of Rally, or not Rally.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.c = ctypes.CDLL(path)
        try:
            for name, (restype, argtypes) in _PLAIN.items():
                self._declare(name, restype, argtypes)
            for name, argtypes in _FALLIBLE.items():
                self._declare(name, c_int, (*argtypes, POINTER(Error)))
            for name, struct in STRUCTS.items():
                if struct is not Event:  # the only one that callers never make
                    self._declare(f"{name}_init", None, (POINTER(struct), c_size_t))
        except AttributeError as error:
            raise ImportError(f"{path} is not a Rally library that this package knows: {error}") from None
        check_layout(self.c.rally_abi_layout().decode(), path)

    def _declare(self, name: str, restype: Any, argtypes: tuple[Any, ...]) -> None:
        function = getattr(self.c, name)
        function.restype = restype
        function.argtypes = argtypes

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function that can fail; its error becomes a `RallyError`."""
        error = Error(struct_size=sizeof(Error))
        status = getattr(self.c, name)(*arguments, byref(error))
        if status != Status.OK:
            message = error.message.decode("utf-8", "replace")
            raise RallyError(status, message or f"{name} failed")

    def new(self, name: str) -> Any:
        """A struct by its C name, every field at the library's default."""
        value = STRUCTS[name]()
        getattr(self.c, f"{name}_init")(byref(value), sizeof(value))
        return value


def parse_layout(text: str) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Reads ``rally_abi_layout``: sizes by struct, (offset, size) by ``struct.field``."""
    sizes: dict[str, int] = {}
    fields: dict[str, tuple[int, int]] = {}
    for line in text.splitlines():
        name, *numbers = line.split() or [""]
        try:
            if "." in name:
                offset, size = map(int, numbers)
                fields[name] = (offset, size)
            elif name:
                (sizes[name],) = map(int, numbers)
        except ValueError:
            raise ImportError(
                f"rally_abi_layout: expected `struct SIZE` or `struct.field OFFSET SIZE`, found {line!r}"
            ) from None
    return sizes, fields


def check_layout(text: str, path: str, structs: Mapping[str, type[Structure]] = STRUCTS) -> None:
    """Compares the library's structs with the declarations above.

    A newer library may have appended fields; those that this package knows must lie where it expects them.

    Raises
    ------
    ImportError
        They differ. The message names the struct or field.
    """
    sizes, fields = parse_layout(text)
    advice = "install the package and the library of one version"
    for name, struct in structs.items():
        if sizes.get(name, 0) < sizeof(struct):
            raise ImportError(
                f"{path}: {name} takes {sizes.get(name, 'no')} bytes there, {sizeof(struct)} in this package; {advice}"
            )
        for field, *_ in struct._fields_:
            descriptor = getattr(struct, field)
            expected, found = (descriptor.offset, descriptor.size), fields.get(f"{name}.{field}")
            if found != expected:
                raise ImportError(
                    f"{path}: {name}.{field} has (offset, size) {found} there, {expected} in this package; {advice}"
                )


def candidates() -> list[str]:
    """Where the library is looked for, in order; only the variable's answer where ``RALLY_LIBRARY`` is set."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        return [chosen]
    package = Path(__file__).resolve().parent
    files = [package / "lib" / LIBRARY_NAME, package / LIBRARY_NAME]
    if len(package.parents) > 2:
        files.append(package.parents[2] / ".build" / "release" / LIBRARY_NAME)
    return [*map(str, files), LIBRARY_NAME]


@cache
def library() -> Library:
    """The one library of this process, loaded at the first call.

    Raises
    ------
    ImportError
        It was not found, cannot be loaded, or does not fit this package.
    """
    tried = []
    for path in candidates():
        if os.sep in path and not os.path.exists(path):
            tried.append(f"{path} (no such file)")
            continue
        try:
            return Library(path)
        except OSError as error:
            tried.append(f"{path} ({error})")
    raise ImportError(
        f"the Rally library was not found. Build it with `make build`, or set {LIBRARY_VARIABLE} to the path of "
        f"{LIBRARY_NAME}. Tried: " + "; ".join(tried)
    )


def version() -> str:
    """The version of the loaded library, "major.minor.patch"."""
    return str(library().c.rally_version().decode())


def instruction_set() -> str:
    """The instruction set in use, such as "avx2"."""
    return str(library().c.rally_instruction_set().decode())
