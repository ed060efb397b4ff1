"""How large are people and faces in the files of `whole_files`?

  PYTHON -m experiments.speed_estimator.rulers_seen runs/files seen.json

PYTHON is that of an environment of its own, with `mediapipe==0.10.14` in it:
BlazePose and BlazeFace (Apache 2.0), which come with the package.
"""

import json
import pathlib
import sys

import cv2
import mediapipe
import numpy as np

_LOOKS = 6
# Landmarks of BlazePose: shoulders and hips.
_SHOULDERS, _HIPS = [11, 12], [23, 24]


def main() -> None:
  """Looks at six frames of the slowest file of each clip."""
  folder, out = map(pathlib.Path, sys.argv[1:])
  slowest: dict[str, pathlib.Path] = {}
  for path in sorted(folder.glob("*.mp4")):
    slowest.setdefault(path.stem.rpartition("@")[0], path)
  pose = mediapipe.solutions.pose.Pose(
    static_image_mode=True, min_detection_confidence=0.5
  )
  face = mediapipe.solutions.face_detection.FaceDetection(
    model_selection=1, min_detection_confidence=0.5
  )
  found = {clip: _sizes(path, pose, face) for clip, path in slowest.items()}
  out.write_text(json.dumps(found, indent=1))


def _sizes(path, pose, face) -> dict[str, float | None]:
  """Median length of the torso and width of faces, in widths of the picture."""
  frames = list(_frames(path))
  chosen = np.unique(np.linspace(0, len(frames) - 1, _LOOKS).round())
  torsos, faces = [], []
  for number in chosen.astype(int):
    image = cv2.cvtColor(frames[number], cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    if landmarks := pose.process(image).pose_landmarks:
      points = np.array(
        [(p.x, p.y * height / width) for p in landmarks.landmark]
      )
      ends = points[_SHOULDERS].mean(0) - points[_HIPS].mean(0)
      torsos.append(float(np.hypot(*ends)))
    for one in face.process(image).detections or []:
      faces.append(one.location_data.relative_bounding_box.width)
  half = len(chosen) / 2
  return {
    "torso": float(np.median(torsos)) if len(torsos) >= half else None,
    "face": float(np.median(faces)) if len(faces) >= half else None,
  }


def _frames(path):
  video = cv2.VideoCapture(str(path))
  while True:
    more, frame = video.read()
    if not more:
      return
    yield frame


if __name__ == "__main__":
  main()
