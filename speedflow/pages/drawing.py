"""What the drawings of all verbs share: their frame, and SVG for pages."""

import io
import re

import matplotlib
from matplotlib import figure

# Octaves shown when a curve does not ask for more: 1/8x to 8x.
OCTAVES = 3
# Where the axes lie in an embedded picture, as shares of its size; the page's
# script moves the play head by the horizontal ones.
LEFT, RIGHT = 0.075, 0.975


def to_svg(drawing: figure.Figure) -> str:
  """A drawing as an SVG document whose text is set in the reader's font."""
  buffer = io.StringIO()
  with matplotlib.rc_context({"svg.fonttype": "none"}):
    drawing.savefig(
      buffer, format="svg", transparent=True, metadata={"Date": None}
    )
  return re.sub(
    r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", buffer.getvalue()
  )
