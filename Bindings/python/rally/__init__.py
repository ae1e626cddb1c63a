"""Rally: Mixture-of-Recursions language models and DataRaters on a CPU.

>>> import rally
>>> model = rally.Model("rally-tiny.onnx")
>>> for event in model.stream("The sea", max_tokens=40):
...     print(event.text, end="", flush=True)
"""

from ._library import instruction_set, version
from .errors import RallyError, Status
from .generation import FinishReason, Generation, TokenEvent
from .info import ModelInfo, TensorInfo
from .model import Forward, Model
from .rows import Rows
from .scorer import Scorer

__version__ = "0.1.0"

__all__ = [
    "FinishReason",
    "Forward",
    "Generation",
    "Model",
    "ModelInfo",
    "RallyError",
    "Rows",
    "Scorer",
    "Status",
    "TensorInfo",
    "TokenEvent",
    "__version__",
    "instruction_set",
    "version",
]
