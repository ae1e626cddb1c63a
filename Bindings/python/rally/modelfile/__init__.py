"""The Rally model file, as ``docs/format.md`` describes it: description, tensors, executable graph, writer."""

from rally.modelfile.description import Description, LanguageModel, Rater, Routing
from rally.modelfile.errors import ModelFileError
from rally.modelfile.tensors import Tensor
from rally.modelfile.tokenizers import Tokenizer, WordPiece
from rally.modelfile.writer import WrittenFile, write_model

__all__ = [
    "Description",
    "LanguageModel",
    "ModelFileError",
    "Rater",
    "Routing",
    "Tensor",
    "Tokenizer",
    "WordPiece",
    "WrittenFile",
    "write_model",
]
