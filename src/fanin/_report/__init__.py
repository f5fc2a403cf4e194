"""What all results to look at share: text for a terminal, HTML for a notebook and a page, and the style of pictures."""

from .content import Column as Column
from .content import Content as Content
from .content import Grid as Grid
from .runs import Run as Run
from .runs import fold as fold
from .view import Report as Report
from .view import View as View
