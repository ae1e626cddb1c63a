"""Raters inside PyTorch training loops; needs ``pip install rally[torch]``.

>>> from rally.torch import RatedLoader
>>> rated = RatedLoader(loader, "rally-rater-tiny.onnx", keep=0.5)
>>> for batch in rated:
...     train(batch)
"""

from .loader import RatedLoader
from .meter import Meter

__all__ = ["Meter", "RatedLoader"]
