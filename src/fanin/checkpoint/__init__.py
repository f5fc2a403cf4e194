"""Whole models on disk: names, shapes and dtypes in; rules; safetensors files out, and compared again."""

from .api import Written as Written
from .api import init as init
from .compare import Difference as Difference
from .spec import Spec as Spec
from .spec import read_spec as read_spec
from .spec import write_table as write_table
from .verifying import Report as Report
from .verifying import verify as verify
