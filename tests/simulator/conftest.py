"""These tests run under numba's simulator, which has to be chosen before anything imports numba.cuda.

`NUMBA_ENABLE_CUDASIM=1 pytest tests/simulator`; without that variable nothing here is collected. It needs numba-cuda,
no GPU and no driver.
"""

import os

collect_ignore_glob = [] if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else ["test_*.py"]
