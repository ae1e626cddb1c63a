"""Rally: Mixture-of-Recursions language models and DataRaters on a CPU.

>>> import rally
>>> model = rally.Model("rally-tiny.onnx")
>>> for event in model.stream("The sea", max_tokens=40):
...     print(event.text, end="", flush=True)
"""

from . import select
from ._library import build_info, instruction_set, version
from .async_engine import AsyncEngine, AsyncEvents
from .cascade import Band, Cascade, CascadeScores
from .distribution import Distribution
from .documents import DocumentScores, Reading
from .engine import Engine
from .engine_options import EngineOptions
from .errors import RallyError, Status
from .events import Event, FinishReason
from .exposures import Exposure, exposure
from .generation import Generation
from .info import ModelInfo, TensorInfo
from .lineages import LineageReport, Match, lineage
from .logits import Logits
from .model import Forward, Model
from .opening import validate
from .perplexities import perplexity
from .pool import Pool
from .preparation import prepare
from .quantization import quantize
from .rows import Rows
from .run_options import RunOptions
from .sampling import RequestOptions, Sampling
from .scorer import Scorer
from .vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "AsyncEngine",
    "AsyncEvents",
    "Band",
    "Cascade",
    "CascadeScores",
    "Distribution",
    "DocumentScores",
    "Engine",
    "EngineOptions",
    "Event",
    "Exposure",
    "FinishReason",
    "Forward",
    "Generation",
    "LineageReport",
    "Logits",
    "Match",
    "Model",
    "ModelInfo",
    "Pool",
    "RallyError",
    "Reading",
    "RequestOptions",
    "Rows",
    "RunOptions",
    "Sampling",
    "Scorer",
    "Status",
    "TensorInfo",
    "Vocabulary",
    "__version__",
    "build_info",
    "exposure",
    "instruction_set",
    "lineage",
    "perplexity",
    "prepare",
    "quantize",
    "select",
    "validate",
    "version",
]
