"""torchvision beside a torch without CUDA: its wheel on PyPI is built for CUDA, so its compiled operators don't load.

Its models need none of them, but while it is imported it registers two that have to be declared by then; transformers
and timm import it, too.
"""

import torch

try:
    import torchvision
except RuntimeError:  # operator torchvision::nms does not exist
    OPERATORS = torch.library.Library("torchvision", "DEF")  # they are there as long as this is
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401
