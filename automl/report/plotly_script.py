"""The library that draws the figures, packed: it is most of the page."""

import base64
import functools
import gzip

from plotly.offline import get_plotlyjs


@functools.cache
def packed_plotly() -> str:
    """Give plotly's script compressed and in base 64, which the page's own script unpacks.

    Its package for Python ships one bundle alone, of all kinds of charts, 4.8 MB; packed it takes 2 MB.
    """
    # Without the time, so that pages are equal.
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode("ascii")
