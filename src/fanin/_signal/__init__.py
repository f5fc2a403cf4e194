"""What a signal is, whichever framework measured it: the figures of each layer, the verdict, the picture."""

from .comparison import Comparison as Comparison
from .comparison import by_label as by_label
from .coordinates import CoordCheck as CoordCheck
from .coordinates import Coordinates as Coordinates
from .layers import InitialLoss as InitialLoss
from .layers import LayerSignal as LayerSignal
from .passed import Batch as Batch
from .passed import Passed as Passed
from .result import Signal as Signal
from .verdict import Verdict as Verdict
from .weights import Weight as Weight
from .weights import as_matrix as as_matrix
from .weights import spectra as spectra
from .weights import with_weights as with_weights
