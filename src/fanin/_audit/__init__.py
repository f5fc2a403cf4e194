"""What a checkpoint holds: which law each tensor follows, what its scale equals, what is suspicious."""

# The rooms, in the order of the data:
#
#     sources.py     a file, a folder or a state dict: tensors that come in pieces
#     moments.py     sums, extremes and a histogram of a tensor, piece by piece
#     matrices.py    the same tensor as a matrix: rows and columns, probes of its Gram matrix
#     patterns.py    values that follow from their places: arange, identity, sinusoids, sparse columns
#     fit.py         tests of a histogram against a distribution function
#     laws.py        the laws, and which of them a histogram shows; examine.py: which of all a tensor follows
#     words.py       what a scale equals; entries.py: a tensor of the report
#     findings.py    same numbers twice, lints; differences.py: what rules ask
#     report.py, picture.py   the result; audit.py: `fanin.audit`

from .audit import audit as audit
from .report import Audit as Audit
