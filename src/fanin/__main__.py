"""`python -m fanin`."""

import sys

from .cli import main

sys.exit(main())
