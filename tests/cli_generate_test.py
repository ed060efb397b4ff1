"""`speedflow generate`, from a file to a file."""

import numpy as np

from speedflow import cli, media


def test_a_picture_of_a_video_is_set_in_motion_at_two_speeds(
  make_video, tmp_path
):
  out = tmp_path / "out.mp4"
  video = str(make_video())
  code = cli.main(
    [
      *("generate", "--video", video, "--speed=0.25,1", "--frames=5"),
      *("--size=48", "--steps=2", str(out)),
    ]
  )
  assert code == 0
  with media.VideoReader(out) as reader:
    frames = np.stack([frame.image for frame in reader]).astype(int)
  assert frames.shape == (5, 48 + 24, 2 * 48, 3)
  slow, real = np.split(np.abs(frames[-1, :48] - frames[0, :48]), 2, axis=1)
  assert 0 < slow.mean() < real.mean()


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, capfd):
  missing, out = tmp_path / "missing.png", tmp_path / "out.mp4"
  assert cli.main(["generate", "--image", str(missing), str(out)]) == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert str(missing) in line
  assert not out.exists()
