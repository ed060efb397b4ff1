"""Work is done beside the making of items, and kept in order."""

import threading

import cv2
import pytest

from speedflow.pictures import ahead


def test_results_are_in_order():
  found = list(ahead.results(lambda x: x * x, iter(range(20))))
  assert found == [(x, x * x) for x in range(20)]


def test_work_begins_before_the_items_end():
  begun = threading.Event()

  def items():
    yield 0
    assert begun.wait(30)
    yield 1

  def work(item):
    begun.set()
    return item

  assert [item for item, _ in ahead.results(work, items())] == [0, 1]


def test_few_items_are_made_beyond_those_that_are_done():
  made = []

  def items():
    for item in range(100):
      made.append(item)
      yield item

  next(ahead.results(lambda x: x, items()))
  assert len(made) < 10


def test_an_error_of_the_work_is_raised_in_its_place():
  def work(item):
    if item == 2:
      raise ValueError("two")
    return item

  found = ahead.results(work, range(5))
  assert [item for item, _ in (next(found), next(found))] == [0, 1]
  with pytest.raises(ValueError, match="two"):
    next(found)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_threads_end_when_the_making_of_items_does(error):
  before, threads = threading.active_count(), cv2.getNumThreads()

  def items():
    yield from range(3)
    raise error

  with pytest.raises(error):
    list(ahead.results(lambda x: x, items()))
  assert threading.active_count() == before
  assert cv2.getNumThreads() == threads


def test_threads_end_when_nobody_asks_for_more():
  before = threading.active_count()
  found = ahead.results(lambda x: x, range(100))
  next(found)
  found.close()
  assert threading.active_count() == before
