"""A GPU through numba-cuda: the only folder that names that package, so that its successor can take its place."""

from .devices import device_name as device_name
from .devices import devices as devices
from .devices import empty as empty
from .devices import missing as missing
from .devices import view as view
from .launch import copy as copy
from .launch import fill as fill
from .launch import synchronize as synchronize
