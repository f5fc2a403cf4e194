"""Rules for whole models: which scheme initializes which parameter. Names, shapes and layers in; a table out."""

from ._comparison import Comparison as Comparison
from ._parameter import Layer as Layer
from ._parameter import Parameter as Parameter
from ._rules import Rules as Rules
from ._table import Row as Row
from ._table import Table as Table
