"""The Rally model file, as ``docs/format.md`` describes it: description, tensors, executable graph, writer."""

from rally.modelfile.description import MAX_DISTANCE, MAX_INTEGER, MAX_LAYERS, MAX_RECURSIONS, Description
from rally.modelfile.errors import ModelFileError
from rally.modelfile.language_model import LanguageModel, Routing
from rally.modelfile.rater import Rater, Reading
from rally.modelfile.rope import RopeTable
from rally.modelfile.seeded_state import SeededState
from rally.modelfile.tensors import Tensor
from rally.modelfile.tokenizers import AnyTokenizer, Pipeline, Tokenizer, WordPiece
from rally.modelfile.writer import WrittenFile, write_model

__all__ = [
    "MAX_DISTANCE",
    "MAX_INTEGER",
    "MAX_LAYERS",
    "MAX_RECURSIONS",
    "AnyTokenizer",
    "Description",
    "LanguageModel",
    "ModelFileError",
    "Pipeline",
    "Rater",
    "Reading",
    "RopeTable",
    "Routing",
    "SeededState",
    "Tensor",
    "Tokenizer",
    "WordPiece",
    "WrittenFile",
    "write_model",
]
