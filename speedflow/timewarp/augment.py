"""Augmented appearances, which have nothing to do with speed.

A network reads speed off resize grain, codec residue, group-of-picture phase
or letterbox bars if it can. So every clip, whatever its speed, is dressed
alike: parameters are drawn before the clip is seen, and hold for all of its
frames (Benaim et al., SpeedNet, CVPR 2020, section 3.3).
"""

import dataclasses
from fractions import Fraction

import av
import cv2
import numpy as np

_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "medium")
_INTERPOLATIONS = (
  cv2.INTER_NEAREST,
  cv2.INTER_LINEAR,
  cv2.INTER_CUBIC,
  cv2.INTER_AREA,
)


@dataclasses.dataclass(frozen=True)
class Codec:
  """One pass through an H.264 encoder.

  Attributes:
    crf: constant rate factor, 0 (lossless) .. 51.
    gop: frames from one keyframe to the next.
    preset: of x264.
    phase: frames since the last keyframe when the clip begins.
  """

  crf: int = 23
  gop: int = 30
  preset: str = "veryfast"
  phase: int = 0

  @classmethod
  def sample(cls, rng: np.random.Generator) -> "Codec":
    """Draws anything from archive quality to a bad stream."""
    gop = int(rng.integers(4, 61))
    return cls(
      crf=int(rng.integers(16, 37)),
      gop=gop,
      preset=str(rng.choice(_PRESETS)),
      phase=int(rng.integers(min(gop, 12))),
    )


@dataclasses.dataclass(frozen=True)
class Appearance:
  """How the appearance of a clip is changed; each default leaves it as it is.

  Attributes:
    crop: top, left, height, width as shares of the picture; the part is
      scaled back to the size of the clip.
    flip: mirrored left to right.
    blur: standard deviation of a Gaussian, pixels.
    gains: brightness of red, green and blue, factors.
    contrast: about middle grey, a factor.
    gamma: exponent on code values.
    read_noise: standard deviation, grey levels.
    shot_noise: variance for each grey level of brightness.
    resize: scale of a round trip to another size.
    interpolation: OpenCV's, there and back.
    letterbox: height of each black bar as a share of the picture.
    jpeg: quality 1..100, 0 for none.
    codec: H.264 parameters.
    seed: of the noise.
  """

  crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
  flip: bool = False
  blur: float = 0.0
  gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
  contrast: float = 1.0
  gamma: float = 1.0
  read_noise: float = 0.0
  shot_noise: float = 0.0
  resize: float = 1.0
  interpolation: tuple[int, int] = (cv2.INTER_AREA, cv2.INTER_LINEAR)
  letterbox: float = 0.0
  jpeg: int = 0
  codec: Codec | None = None
  seed: int = 0

  @classmethod
  def sample(
    cls,
    rng: np.random.Generator,
    probability: float = 0.5,
    codec_probability: float = 0.5,
  ) -> "Appearance":
    """Draws an appearance.

    Args:
      rng: source of randomness; the number of draws depends on nothing else.
      probability: chance of each single effect but mirroring (one half).
      codec_probability: chance of the H.264 pass, the dearest effect.
    """
    on = rng.uniform(size=8) < probability
    side = rng.uniform(0.6, 1.0)
    drawn = cls(
      crop=(*(rng.uniform(0, 1 - side, 2).tolist()), side, side),
      blur=float(rng.uniform(0.3, 1.5)),
      gains=tuple(np.exp2(rng.uniform(-0.4, 0.4, 3)).tolist()),
      contrast=float(np.exp2(rng.uniform(-0.7, 0.5))),
      gamma=float(np.exp2(rng.uniform(-0.8, 0.8))),
      read_noise=float(rng.uniform(0, 8)),
      shot_noise=float(rng.uniform(0, 0.5)),
      resize=float(np.exp2(rng.uniform(-1.3, 0.5))),
      interpolation=(
        int(rng.choice(_INTERPOLATIONS)),
        int(rng.choice(_INTERPOLATIONS)),
      ),
      letterbox=float(rng.uniform(0.02, 0.15)),
      jpeg=int(rng.integers(20, 96)),
      codec=Codec.sample(rng),
      flip=bool(rng.uniform() < 0.5),
      seed=int(rng.integers(2**31)),
    )
    effects = (
      ("crop",),
      ("blur",),
      ("gains",),
      ("contrast", "gamma"),
      ("read_noise", "shot_noise"),
      ("resize",),
      ("letterbox",),
      ("jpeg",),
    )
    none = cls()
    off = {
      name: getattr(none, name)
      for names, use in zip(effects, on, strict=True)
      if not use
      for name in names
    }
    if rng.uniform() >= codec_probability:
      off["codec"] = None
    return dataclasses.replace(drawn, **off)


def augment(clip: np.ndarray, appearance: Appearance) -> np.ndarray:
  """Dresses a clip: lens, sensor, scaling, bars, then compression.

  Args:
    clip: uint8 [t, h, w, 3] RGB or [t, h, w].
    appearance: how it is augmented.

  Returns:
    uint8, the shape of `clip`.
  """
  if clip.dtype != np.uint8 or clip.ndim not in (3, 4):
    raise ValueError(
      f"clip is {clip.dtype} {clip.shape}, not uint8 [t, h, w(, 3)]"
    )
  rng = np.random.default_rng(appearance.seed)
  tone = _tone_curve(appearance, channels=1 if clip.ndim == 3 else 3)
  frames = []
  for image in clip:
    image = _crop(image, appearance.crop)
    if appearance.flip:
      image = cv2.flip(image, 1)
    if appearance.blur:
      image = cv2.GaussianBlur(image, (0, 0), appearance.blur)
    if tone is not None:
      image = cv2.LUT(image, tone)
    if appearance.read_noise or appearance.shot_noise:
      image = _noise(image, appearance.read_noise, appearance.shot_noise, rng)
    if appearance.resize != 1.0:
      image = _resize_and_back(
        image, appearance.resize, appearance.interpolation
      )
    if appearance.letterbox:
      image = _letterbox(image, appearance.letterbox)
    if appearance.jpeg:
      image = _jpeg(image, appearance.jpeg)
    frames.append(image)
  dressed = np.stack(frames)
  return (
    dressed if appearance.codec is None else reencode(dressed, appearance.codec)
  )


def reencode(clip: np.ndarray, codec: Codec) -> np.ndarray:
  """Sends a clip through H.264, in memory.

  The encoder is told 30 frames per second whatever the speed, for its rate
  control depends on time. Mirrored frames run ahead of the clip, so that a clip
  need not begin with a keyframe.

  Args:
    clip: uint8 [t, h, w, 3] RGB or [t, h, w]; any size, odd ones too.
    codec: what to do to it.

  Returns:
    uint8, the shape of `clip`.
  """
  lead = min(codec.phase, len(clip) - 1)
  frames = [*clip[lead:0:-1], *clip]
  height, width = clip.shape[1:3]
  encoder = av.CodecContext.create("libx264", "w")
  encoder.width, encoder.height = width + width % 2, height + height % 2
  encoder.pix_fmt = "yuv420p"
  encoder.framerate = Fraction(30)
  encoder.time_base = Fraction(1, 30)
  encoder.thread_count = 1
  encoder.gop_size = codec.gop
  encoder.options = {
    "crf": str(codec.crf),
    "preset": codec.preset,
    # x264's macroblock tree reads memory that it has not set, and gives one
    # clip different bytes on different days; a run must repeat exactly.
    "x264-params": "mbtree=0",
  }
  decoder = av.CodecContext.create("h264", "r")
  decoder.thread_count = 1
  pictures = []
  for number, image in enumerate(frames):
    frame = av.VideoFrame.from_ndarray(_to_yuv(image), format="yuv420p")
    frame.pts = number
    for packet in encoder.encode(frame):
      pictures += decoder.decode(packet)
  for packet in encoder.encode(None):
    pictures += decoder.decode(packet)
  pictures += decoder.decode(None)
  return np.stack(
    [_from_yuv(picture.to_ndarray(), clip[0]) for picture in pictures[lead:]]
  )


def _to_yuv(image: np.ndarray) -> np.ndarray:
  """4:2:0 planes, stacked as OpenCV and PyAV do: [h * 3 / 2, w]."""
  height, width = image.shape[:2]
  even = cv2.copyMakeBorder(
    image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE
  )
  if image.ndim == 3:
    return cv2.cvtColor(even, cv2.COLOR_RGB2YUV_I420)
  neutral = np.full((even.shape[0] // 2, even.shape[1]), 128, np.uint8)
  return np.concatenate([even, neutral])


def _from_yuv(planes: np.ndarray, like: np.ndarray) -> np.ndarray:
  height, width = like.shape[:2]
  if like.ndim == 3:
    return cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)[:height, :width]
  return planes[:height, :width]


def _crop(
  image: np.ndarray, crop: tuple[float, float, float, float]
) -> np.ndarray:
  if crop == (0.0, 0.0, 1.0, 1.0):
    return image
  height, width = image.shape[:2]
  top, left = round(crop[0] * height), round(crop[1] * width)
  rows = max(round(crop[2] * height), 1)
  columns = max(round(crop[3] * width), 1)
  part = image[top : top + rows, left : left + columns]
  return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)


def _tone_curve(appearance: Appearance, channels: int) -> np.ndarray | None:
  """uint8 [1, 256, channels], or None where it would change nothing."""
  if (
    appearance.gains == (1.0, 1.0, 1.0)
    and appearance.gamma == appearance.contrast == 1.0
  ):
    return None
  value = (np.arange(256) / 255) ** appearance.gamma
  value = (value - 0.5) * appearance.contrast + 0.5
  # A grey clip has no colour to shift.
  gains = np.array(appearance.gains) if channels == 3 else np.ones(1)
  return np.clip(np.rint(value[:, None] * gains * 255), 0, 255).astype(
    np.uint8
  )[None]


def _noise(
  image: np.ndarray, read: float, shot: float, rng: np.random.Generator
) -> np.ndarray:
  """Sensor noise; photon counts are near enough to normal."""
  value = image.astype(np.float32)
  noise = rng.standard_normal(image.shape, dtype=np.float32)
  noisy = value + noise * np.sqrt(read**2 + shot * value)
  return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _resize_and_back(
  image: np.ndarray, scale: float, interpolation: tuple[int, int]
) -> np.ndarray:
  height, width = image.shape[:2]
  there, back = interpolation
  size = max(round(width * scale), 2), max(round(height * scale), 2)
  other = cv2.resize(image, size, interpolation=there)
  return cv2.resize(other, (width, height), interpolation=back)


def _letterbox(image: np.ndarray, share: float) -> np.ndarray:
  bar = round(share * len(image))
  boxed = np.zeros_like(image)
  boxed[bar : len(image) - bar] = image[bar : len(image) - bar]
  return boxed


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
  # Red and blue swap places on the way in, and again on the way out.
  _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
  mode = cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR
  return np.asarray(cv2.imdecode(encoded, mode))
