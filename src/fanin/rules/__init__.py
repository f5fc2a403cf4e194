"""Rules for whole models: they say which scheme each parameter gets, by its name and layer.

>>> import fanin
>>> import numpy as np
>>> rules = fanin.Rules.of({"*.bias": "zeros", "*": "he_normal"})
>>> weight = fanin.rules.Parameter("dense.weight", (16, 8), np.dtype("float32"))
>>> bias = fanin.rules.Parameter("dense.bias", (16,), np.dtype("float32"))
>>> [row.scheme for row in rules.assign([weight, bias]).drawn][1]
Constant(value=0.0)
"""

from .._namespace import listing as _listing
from ._book import Recipes as Recipes
from ._comparison import Comparison as Comparison
from ._parameter import Layer as Layer
from ._parameter import Parameter as Parameter
from ._recipe import Recipe as Recipe
from ._roles import role_names as role_names
from ._rules import Rules as Rules
from ._table import Row as Row
from ._table import Table as Table
from ._variables import Variable as Variable

__all__ = ["Comparison", "Layer", "Parameter", "Recipe", "Recipes", "Row", "Rules", "Table", "Variable", "role_names"]

__dir__ = _listing(globals())
