"""Pages are templates into which nothing comes unescaped."""

import ast
import html.parser
import pathlib
import types
from fractions import Fraction

import numpy as np
import pytest

import speedflow
from speedflow import media
from speedflow.attribute import page as attribute_page
from speedflow.attribute import scores
from speedflow.attribute.features import Film
from speedflow.data import procedural, records, tracks
from speedflow.detect import answer as detect_lib
from speedflow.detect import report as detect_report
from speedflow.estimate import plot, report
from speedflow.mine import manifest

_HOSTILE = "<script>alert(1)<img src=x onerror=alert(2)>&\"'"
_PACKAGE = pathlib.Path(speedflow.__file__).parent


class _Reader(html.parser.HTMLParser):
  """What a browser would see: tags, attributes and text."""

  def __init__(self):
    super().__init__()
    self.tags, self.attributes, self.text = [], {}, ""

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    for name, value in attributes:
      self.attributes.setdefault(name, []).append(value)

  def handle_data(self, data):
    self.text += data


def _read(path):
  reader = _Reader()
  reader.feed(path.read_text())
  return reader


def _assert_harmless(path):
  page = _read(path)
  # The page's own, at its end.
  assert page.tags.count("script") == 1
  assert "onerror" not in page.attributes
  assert _HOSTILE in page.text
  return page


@pytest.fixture
def video(tmp_path):
  path = tmp_path / f"{_HOSTILE}.mp4"
  with media.VideoWriter(path, 25, (64, 48)) as writer:
    for k in range(25):
      writer.write(np.full((48, 64, 3), 8 * k, np.uint8))
  return path


def test_page_of_estimates(video, make_estimate, tmp_path):
  report.write([make_estimate(video)], tmp_path / "page.html")
  _assert_harmless(tmp_path / "page.html")


def test_page_of_groups(video, make_estimate, tmp_path):
  group = report.Group(
    f"title {_HOSTILE}",
    (plot.Exhibit("exhibit", make_estimate(video), video),),
    f"note {_HOSTILE}",
  )
  link = report.Link(f"{_HOSTILE}.html", f"link {_HOSTILE}", f"of {_HOSTILE}")
  path = tmp_path / "page.html"
  report.write_page(
    path, f"head {_HOSTILE}", f"lead {_HOSTILE}", [group], [link]
  )
  page = _assert_harmless(path)
  for where in ("title", "note", "link", "of", "head", "lead"):
    assert f"{where} {_HOSTILE}" in page.text
  assert page.attributes["href"] == ["data:,", f"{_HOSTILE}.html"]


def test_page_of_evidence(video, tmp_path):
  time_s = np.arange(25) / 25
  found = detect_lib.Detection(
    str(video),
    "ok",
    curve=detect_lib.Curve(time_s, time_s),
    sound=detect_lib.Sound("missing"),
    verdict="untouched",
    why=f"Because {_HOSTILE}.",
    probabilities={"untouched": 1.0},
    stretches=(detect_lib.Stretch(0.0, 1.0, {}),),
  )
  failed = detect_lib.Detection.failed(_HOSTILE, f"{_HOSTILE}: empty")
  detect_report.write(tmp_path / "page.html", [found, failed])
  page = _assert_harmless(tmp_path / "page.html")
  assert f"Because {_HOSTILE}." in page.text
  assert f"{_HOSTILE}: empty" in page.text


def test_page_of_influences(tmp_path):
  rng = np.random.default_rng(0)
  side = (tracks.SIZE, tracks.SIZE, 3)
  record = tracks.TrackRecord(
    id=_HOSTILE,
    scene_group="g",
    image=rng.integers(0, 256, side, np.uint8),
    times_s=np.array([0.1, 0.2], np.float32),
    trajectories=np.zeros((2, tracks.GRID, tracks.GRID, 2), np.float16),
  )
  path = records.shard_path(tmp_path, "toy", "train", 0, 1, "tfrecord")
  with records.RecordWriter(path) as writer:
    writer.write(record.encode())
  ranking = scores.rank(np.ones((1, 4)) / 2, np.ones((1, 4)) / 2, 1.0)
  source = records.RecordSource([path])
  maker = types.SimpleNamespace(
    shown=_HOSTILE,
    decode=tracks.TrackRecord.decode,
    film=lambda record, side: Film([record.image[:side, :side]], 10),
  )
  attribute_page.write(
    tmp_path / "page.html", maker, [record], source, [_HOSTILE], ranking, 1
  )
  page = _assert_harmless(tmp_path / "page.html")
  # The query, and the clip as its best and its worst teacher.
  assert page.tags.count("video") == 3
  assert page.text.count(_HOSTILE) == 3 + 1


def test_page_of_mined_clips(tmp_path):
  scene = procedural.ProceduralScene.sample(
    np.random.default_rng(0), (48, 64), seconds=0.2
  )
  (shot,) = procedural.to_records(scene, "clip", Fraction(30))
  shard = records.shard_path(tmp_path, manifest.NAME, "train", 0, 1, "tfrecord")
  with records.RecordWriter(shard) as writer:
    writer.write(shot.encode())
  clip = {
    "id": shot.id.split("/")[0],
    "source": f"{_HOSTILE}.mp4",
    "start_s": 1.0,
    "end_s": 2.0,
    "speed": 0.25,
    "speed_low": 0.2,
    "speed_high": 0.3,
    "evidence": 5.0,
    "fps": 30.0,
    "capture_fps": 120.0,
    "declared_capture_fps": None,
    "declared_speed": None,
    **{f"bars_{side}": 0 for side in ("top", "bottom", "left", "right")},
    "filters": {},
    "hash": ["0"],
  }
  manifest.write(
    [clip],
    tmp_path,
    {"statement": f"Stated {_HOSTILE}."},
    totals={"files": 1.0},
    dropped=[],
    shards=[shard.name],
    failures=[],
  )
  page = _assert_harmless(tmp_path / "report.html")
  assert f"{_HOSTILE}.mp4, 1.0 to 2.0 s" in page.text
  assert f"Stated {_HOSTILE}." in page.text
  assert page.tags.count("img") == 4


def test_no_template_leaves_out_the_escaping():
  for path in _PACKAGE.glob("*/templates/*"):
    text = path.read_text()
    assert "safe" not in text and "autoescape" not in text, path


def test_all_templates_are_installed_with_the_package():
  setup = ast.parse((_PACKAGE.parent / "setup.py").read_text())
  installed = next(
    ast.literal_eval(node.value)
    for node in setup.body
    if isinstance(node, ast.Assign) and node.targets[0].id == "_PAGES"
  )
  found = {path.parent.parent.name for path in _PACKAGE.glob("*/templates/*")}
  assert set(installed) == found
