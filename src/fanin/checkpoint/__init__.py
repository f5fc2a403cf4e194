"""Write a whole model's initial weights to disk by rules, and verify them.

>>> import tempfile, fanin
>>> import numpy as np
>>> weight = fanin.rules.Parameter("dense.weight", (16, 8), np.dtype("float32"))
>>> with tempfile.TemporaryDirectory() as folder:
...     (written,) = fanin.checkpoint.init([weight], f"{folder}/model.safetensors", "he_normal", seed=7)
...     (report,) = fanin.checkpoint.verify(written.path)
>>> written.elements, report.ok
(128, True)
"""

# The rooms, in the order of the data:
#
#     _spec/       a model's tensors: names, shapes, dtypes, layers, from whatever describes it
#       |
#     _job.py      what each tensor gets, and which file it goes into (_partition.py, _index.py); nothing is written yet
#       |
#     _writing/    the job's files onto the disk: _format.py has a file's header, _pieces.py its bytes
#       |
#     _verifying/  files drawn again and compared
#
# The last two share _worker.py (generating and the disk at the same time) and _direct.py (past the page cache).

from .._namespace import listing as _listing
from ..rules._comparison import Difference as Difference
from ._spec.read import read_spec as read_spec
from ._spec.spec import Spec as Spec
from ._verifying.verify import Report as Report
from ._verifying.verify import verify as verify
from ._writing.init import init as init
from ._writing.run import Written as Written
from ._writing.table import write_table as write_table

__all__ = ["Difference", "Report", "Spec", "Written", "init", "read_spec", "verify", "write_table"]

__dir__ = _listing(globals())
