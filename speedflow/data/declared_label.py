"""What a clip's file declares, as its label where nobody has given it one."""

import dataclasses
import os

from speedflow import declared
from speedflow.data import catalogue


def labelled(clip: catalogue.Clip) -> catalogue.Clip:
  """A clip with the speed that its camera wrote into the file.

  Args:
    clip: one that is known to have a speed, a rate of filming or a label keeps
      them: what is said of a clip is surer than what is found in it.

  Returns:
    The clip; label `declared` where the file's word alone decides.
  """
  is_known = clip.capture_fps or clip.speed or clip.label != "unknown"
  if is_known or os.path.isdir(clip.path):
    return clip
  # Of a file that cannot be read, reading its pictures says what is wrong.
  found = declared.ask(clip.path, ignore_metadata=False)
  if not (found and found.decides and found.capture_fps and found.speed):
    return clip
  return dataclasses.replace(
    clip,
    capture_fps=found.capture_fps,
    speed=found.speed,
    label="declared",
  )
