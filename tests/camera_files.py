"""Files as cameras write them, made from the documentation of their formats."""

import io
import struct
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame

_SIZE = (64, 48)
_SETUP_BYTES = 0x163C + 200


def box(kind, *parts):
  """A box of MP4: its size, its type, and what is in it."""
  content = b"".join(parts)
  return struct.pack(">I4s", 8 + len(content), kind) + content


def mdta(values):
  """Keys and values as phones write them, by key: (type, bytes).

  The types are of Apple's QuickTime File Format: 1 is text, 22 an unsigned
  number, 23 a 32-bit float.
  """
  keys = b"".join(box(b"mdta", key.encode()) for key in values)
  items = b"".join(
    box(
      struct.pack(">I", number), box(b"data", struct.pack(">II", kind, 0), data)
    )
    for number, (kind, data) in enumerate(values.values(), 1)
  )
  handler = struct.pack(">II4s", 0, 0, b"mdta") + bytes(13)
  return box(
    b"meta",
    box(b"hdlr", handler),
    box(b"keys", struct.pack(">II", 0, len(values)), keys),
    box(b"ilst", items),
  )


def android(capture_fps):
  """What Android's recorder adds for a rate of filming."""
  value = struct.pack(">f", capture_fps)
  return mdta({"com.android.capture.fps": (23, value)})


def pictures(frames, step=3):
  """A texture that moves by `step` pixels a frame, grey, uint8 [48, 64]."""
  rng = np.random.default_rng(0)
  texture = rng.integers(0, 256, (12, 64 + step * frames), np.uint8)
  texture = texture.repeat(4, axis=0)
  for start in range(0, step * frames, step):
    yield np.ascontiguousarray(texture[:, start : start + _SIZE[0]])


def write_mp4(path, fps=30, frames=40, moov=b"", tail=b"", step=3, images=None):
  """An MP4 that no encoder signed.

  Args:
    path: where.
    fps: frames per second as stored.
    frames: how many.
    moov: is added at the end of the box of that name.
    tail: is added at the end of the file.
    step: as of `pictures`.
    images: instead of `pictures`, RGB, uint8 [h, w, 3].
  """
  form = "gray" if images is None else "rgb24"
  images = list(pictures(frames, step) if images is None else images)
  written = io.BytesIO()
  with av.open(
    written, "w", format="mp4", options={"fflags": "+bitexact"}
  ) as container:
    stream = container.add_stream("mpeg4", rate=Fraction(fps))
    stream.height, stream.width = images[0].shape[:2]
    stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
    for image in images:
      container.mux(stream.encode(VideoFrame.from_ndarray(image, form)))
    container.mux(stream.encode(None))
  data = bytearray(written.getvalue())
  at = data.rindex(b"moov") - 4
  struct.pack_into(">I", data, at, len(data) - at + len(moov))
  path.write_bytes(bytes(data) + moov + tail)
  return path


def write_cine(path, fps, frames=40):
  """A Phantom file of 8-bit grey, by FFmpeg's libavformat/cinedec.c."""
  (width, height), images = _SIZE, list(pictures(frames))
  bitmap, setup = 44, 84
  offsets = setup + _SETUP_BYTES
  data = bytearray(offsets + 8 * frames)
  head = (b"CI", 44, 0, 1, 0, frames, 0, frames, bitmap, setup, offsets)
  struct.pack_into("<2sHHHiIiIIII", data, 0, *head)
  layout = (40, width, height, 1, 8, 0, width * height)
  struct.pack_into("<IiiHHII", data, bitmap, *layout)
  struct.pack_into("<HH", data, setup + 140, 0x5453, _SETUP_BYTES)
  struct.pack_into("<I", data, setup + 768, fps)
  for number, image in enumerate(images):
    struct.pack_into("<Q", data, offsets + 8 * number, len(data))
    # Rows from the bottom up, as in a bitmap.
    data += struct.pack("<II", 8, image.size) + image[::-1].tobytes()
  path.write_bytes(bytes(data))
  return path


def write_photron(path, fps, bits=8, frames=40, **fields):
  """A Photron recording: the header, .cih or .cihx, and its .mraw.

  Args:
    path: of the header.
    fps: as it is written there.
    bits: a pixel, 8, 12 (packed) or 16 (of which 12 tell).
    frames: how many.
    **fields: of the text header that are to be others, such as Color_Bit.
  """
  images = list(pictures(frames))
  packers = {
    8: lambda image: image,
    12: _packed,
    16: lambda image: image.astype("<u2") << 4,
  }
  content = b"".join(packers[bits](image).tobytes() for image in images)
  path.with_suffix(".mraw").write_bytes(content)
  depth = min(bits, 12)
  if path.suffix == ".cih":
    known = {
      "Date": "2020/01/02",
      "Camera Type": "FASTCAM SA-Z",
      "Record Rate(fps)": fps,
      "Save Step": 1,
      "Total Frame": frames,
      "Image Width": _SIZE[0],
      "Image Height": _SIZE[1],
      "Color Type": "Mono",
      "Color Bit": bits,
      "File Format": "MRaw",
      "EffectiveBit Depth": depth,
      "EffectiveBit Side": "Lower",
      "Comment Text": "ball : glass",
    }
    known |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name} : {value}" for name, value in known.items()]
    path.write_text("\n".join(["#Camera Information Header", *lines, ""]))
    return path
  document = (
    "<cih><deviceInfo><deviceName>FASTCAM Mini</deviceName></deviceInfo>"
    f"<recordInfo><recordRate>{fps}</recordRate></recordInfo><frameInfo>"
    f"<totalFrame>{frames}</totalFrame></frameInfo><imageDataInfo><resolution>"
    f"<width>{_SIZE[0]}</width><height>{_SIZE[1]}</height></resolution>"
    f"<colorInfo><bit>{bits}</bit></colorInfo><effectiveBit><depth>{depth}"
    "</depth><side>Lower</side></effectiveBit></imageDataInfo><imageFileInfo>"
    "<fileFormat>Mraw</fileFormat></imageFileInfo></cih>"
  )
  # There is more than the document in such a file.
  path.write_bytes(b"\0\1CIHX\n" + document.encode() + b"\n" + bytes(20))
  return path


def _packed(image):
  """Pixels of 12 bits, two in three bytes, the highest bits first."""
  first, second = (image.astype(np.uint16) << 4).reshape(-1, 2).T
  high, low = first >> 4, second & 255
  middle = (first & 15) << 4 | second >> 8
  return np.stack([high, middle, low], axis=1).astype(np.uint8)
