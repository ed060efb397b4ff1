"""Software that writes files: a sign that a file was exported, not filmed.

Libraries and editors sign what they write, in the tags `encoder`,
`encoding_tool` and `software`, in the names of track handlers, in comments, or,
as x264 and x265 do, in a message within the first picture (SEI, "user data
unregistered"). Cameras and phones write other names there, or none. A file
without any such sign may have been edited all the same.
"""

import re
from collections.abc import Iterable, Mapping

_NAMED = (
  "encoder",
  "encoding_tool",
  "encoded_by",
  "software",
  "com.apple.quicktime.software",
  "writing_application",
  "comment",
  "description",
  "handler_name",
  "creation_tool",
  "tool",
)

# By name as it is told: what to look for. Handlers: Adobe's exporter is
# MainConcept's; what Google transcodes says so.
_TOOLS: Mapping[str, str] = {
  "FFmpeg": r"\b(Lavf|Lavc)[0-9]*|ffmpeg",
  "HandBrake": r"handbrake",
  "x264": r"\bx264\b",
  "x265": r"\bx265\b",
  "Adobe": r"adobe|premiere|after effects|mainconcept",
  "DaVinci Resolve": r"davinci|blackmagic design davinci",
  "CapCut": r"capcut|jianying|lvidvideo",
  "Final Cut": r"final ?cut",
  "iMovie": r"imovie",
  "Compressor": r"apple compressor|^compressor",
  "Photos": r"photos for mac",
  "Vegas": r"\bvegas\b",
  "Avid": r"\bavid\b",
  "Filmora": r"filmora|wondershare",
  "PowerDirector": r"powerdirector|cyberlink",
  "KineMaster": r"kinemaster",
  "InShot": r"inshot|instashot",
  "VN": r"\bvlognow\b|\bVN Video",
  "Kdenlive or MLT": r"kdenlive|\bmlt\b|shotcut",
  "OpenShot": r"openshot",
  "OBS Studio": r"\bobs\b|obs-studio|\bOBS Studio",
  "VLC": r"\bvlc\b|videolan",
  "GPAC": r"gpac|mp4box",
  "L-SMASH": r"l-smash",
  "GStreamer": r"gstreamer",
  "Matroska tools": r"mkvmerge|libmatroska|libwebm|libebml",
  "Google": r"produced by google",
  "Topaz": r"topaz",
  "Flowframes": r"flowframes",
  "Twixtor": r"twixtor",
  "speedflow": r"speedflow",
}
_COMPILED = {
  name: re.compile(pattern, re.IGNORECASE) for name, pattern in _TOOLS.items()
}
_IN_PICTURE = {b"x264 - core": "x264", b"x265 (build": "x265"}


def names(
  tags: Iterable[Mapping[str, str]], first_packet: bytes = b""
) -> tuple[str, ...]:
  """The software that signed a file, each once.

  Args:
    tags: of the file and of each track, by name in lower case.
    first_packet: of the picture, its beginning.
  """
  found = {}
  for each in tags:
    for key, value in each.items():
      if key in _NAMED:
        for name, pattern in _COMPILED.items():
          if pattern.search(value[:1000]):
            found[name] = True
      elif key.startswith("com.apple.proapps"):
        found["Final Cut"] = True
  for mark, name in _IN_PICTURE.items():
    if mark in first_packet:
      found[name] = True
  return tuple(found)
