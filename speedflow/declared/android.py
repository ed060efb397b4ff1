"""Android: tags that phones put beside the boxes of an MP4 file.

`com.android.capture.fps` is a 32-bit float in the `mdta` keys of `moov/meta`,
which `android.media.MediaRecorder.setCaptureRate` asks for and AOSP's
`MPEG4Writer` (frameworks/av) writes: the rate of the camera while the stored
pictures play at that of their time stamps. Slow motion has it above, a time
lapse below; recordings at the ordinary rate usually lack it. FFmpeg shows it
as text, "240.000000". `com.xiaomi.slow_moment` marks Xiaomi's slow motion
(`isSlowMomentVideo` of its gallery) without saying a rate that can be trusted.
"""

from collections.abc import Iterator, Mapping

from speedflow.declared import numbers
from speedflow.declared.declaration import Statement

_RATE = "com.android.capture.fps"
_XIAOMI = "com.xiaomi.slow_moment"


def statements(tags: Mapping[str, str]) -> Iterator[Statement]:
  """Yields what the tags say.

  Args:
    tags: of the file, by name in lower case.
  """
  if rate := numbers.rate(tags.get(_RATE)):
    yield Statement(
      _RATE,
      f"the camera filmed {rate:.5g} frames a second",
      capture_fps=rate,
      by_camera=True,
    )
  if _XIAOMI in tags:
    yield Statement(_XIAOMI, "slow motion, of no stated rate")
