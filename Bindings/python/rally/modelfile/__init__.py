"""The Rally model file, as ``docs/format.md`` describes it: description, tensors, executable graph, writer."""

from rally.modelfile.description import Description, LanguageModel, Rater, Routing, Tokenizer
from rally.modelfile.errors import ModelFileError
from rally.modelfile.tensors import Tensor
from rally.modelfile.writer import WrittenFile, write_model

__all__ = [
    "Description",
    "LanguageModel",
    "ModelFileError",
    "Rater",
    "Routing",
    "Tensor",
    "Tokenizer",
    "WrittenFile",
    "write_model",
]
