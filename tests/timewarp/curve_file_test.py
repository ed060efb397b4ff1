"""Curves as spreadsheets write them."""

import numpy as np

from speedflow.timewarp import curve_file


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path):
  path = tmp_path / "curve.csv"
  path.write_bytes(b"\xef\xbb\xbftime_s,speed\r\n0,1\r\n1.5,0.5\r\n")
  times, speeds = curve_file.read(path)
  np.testing.assert_array_equal(times, [0, 1.5])
  np.testing.assert_array_equal(speeds, [1, 0.5])
