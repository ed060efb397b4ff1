"""How much a picture holds; asked before the work, so without Matplotlib."""

from speedflow.errors import SpeedflowError

# A PNG of Matplotlib has fewer than 2**16 pixels a side, and a file takes up to
# 780 of its height.
_MOST = 80


def require_few(path: str, files: int) -> None:
  """Refuses a picture of more files than it can show.

  Args:
    path: of the picture.
    files: how many are to be drawn, one above the other.

  Raises:
    SpeedflowError: there are too many.
  """
  if files > _MOST:
    raise SpeedflowError(
      f"{path}: a picture shows {_MOST} files at most, not {files}; write a"
      " page (.html), or ask about fewer"
    )
