"""What a file declares of its capture: the rate at which it was filmed.

Pure functions, one module a family of cameras; each names its sources. Tags
that FFmpeg shows are taken from it; boxes that it passes over are read here.

MediaInfo (the package pymediainfo) was weighed: of the two Samsung files that
AndroidX Media3 is tested with it shows `com.android.capture.fps` as "real frame
rate", but neither the trailer nor its spans, no media rate of edit lists, no
property list beside the file, and nothing of which tag a number came from. Its
library is 15 MB of native code without a limit on what a damaged file may make
it do. The boxes that count take a page of Python.

What is read here never enters a network: it is a witness of its own.
"""

from speedflow.declared.declaration import (
  Declaration,
  Retiming,
  Statement,
  Trust,
  alike,
)
from speedflow.declared.reader import ask, companions, read

__all__ = [
  "Declaration",
  "Retiming",
  "Statement",
  "Trust",
  "alike",
  "ask",
  "companions",
  "read",
]
