"""Whether a network fits into memory, said before it is loaded."""

import os

import jax

from speedflow.errors import SpeedflowError


def available() -> int | None:
  """Bytes of memory that one device has left; None where nobody says."""
  device = jax.devices()[0]
  if device.platform == "cpu":
    try:
      return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
      return None
  said = device.memory_stats() or {}
  if "bytes_limit" not in said:
    return None
  return said["bytes_limit"] - said.get("bytes_in_use", 0)


def require(needed: int, what: str, remedy: str) -> None:
  """Refuses what does not fit.

  Args:
    needed: bytes on each device.
    what: takes them, for the user.
    remedy: what to do instead.

  Raises:
    SpeedflowError: there are fewer.
  """
  left = available()
  if left is not None and needed > left:
    raise SpeedflowError(
      f"{what} takes {needed / 1e9:.3g} GB of memory, where {left / 1e9:.3g} GB"
      f" are left; {remedy}"
    )
