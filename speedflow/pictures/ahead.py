"""Work on earlier parts of a video while later ones are decoded."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeVar

import cv2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_THREADS = 2
# Parts that may wait for a thread: each holds its frames in memory.
_WAITING = 3


def results(
  work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[tuple[_Item, _Result]]:
  """Yields each item with its result, in order.

  Items are made by this thread, decoding for example, while `work` goes on in
  others, for NumPy, OpenCV and JAX let go of the interpreter. OpenCV, whose
  pictures here are too small to be shared, is told to keep to the thread that
  asks, as long as this lasts.

  Args:
    work: called from two threads.
    items: made one after another, a few before they are asked for.

  Raises:
    Exception: whatever `work` and `items` raise.
  """
  pending: list[tuple[_Item, futures.Future[_Result]]] = []
  with (
    _opencv_in_one_thread(),
    futures.ThreadPoolExecutor(max_workers=_THREADS) as pool,
  ):
    for item in items:
      pending.append((item, pool.submit(work, item)))
      while len(pending) > _WAITING:
        done, job = pending.pop(0)
        yield done, job.result()
    for done, job in pending:
      yield done, job.result()


@contextlib.contextmanager
def _opencv_in_one_thread() -> Iterator[None]:
  threads = cv2.getNumThreads()
  cv2.setNumThreads(1)
  try:
    yield
  finally:
    cv2.setNumThreads(threads)
