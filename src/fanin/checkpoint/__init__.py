"""Whole models on disk: names, shapes and dtypes in; rules; safetensors files out, and compared again."""

from ._api import Written as Written
from ._api import init as init
from ._spec import Spec as Spec
from ._spec import read_spec as read_spec
from ._spec import write_table as write_table
from ._verifying.compare import Difference as Difference
from ._verifying.verify import Report as Report
from ._verifying.verify import verify as verify
