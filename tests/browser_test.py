"""The demonstration's page in a real browser, without a network."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib import image

from speedflow import media
from speedflow.demo import clips, speeds
from speedflow.estimate import report
from speedflow.pages import drawing

_CHROMIUM = next(
  filter(
    None,
    map(shutil.which, ["chromium", "chromium-browser", "google-chrome"]),
  ),
  "",
)
pytestmark = pytest.mark.skipif(not _CHROMIUM, reason="needs Chromium")

# Plays every video, then leaves what happened in the document. A document
# that stays open in a frame keeps the page from being loaded, and Chromium
# from dumping it, until that is done.
_PROBE = """
<script>
const problems = [];
addEventListener("error", (e) => problems.push(String(e.message)), true);
addEventListener("DOMContentLoaded", async () => {
  const holder = document.body.appendChild(document.createElement("iframe"));
  holder.style.display = "none";
  holder.contentDocument.open();
  const videos = [];
  for (const video of document.querySelectorAll("video")) {
    await video.play().catch((e) => problems.push(String(e)));
    while (!video.currentTime) await new Promise(requestAnimationFrame);
    video.pause();
    await new Promise((done) => {
      video.addEventListener("seeked", done, {once: true});
      video.currentTime = video.duration / 2;
    });
    videos.push({duration: video.duration, width: video.videoWidth,
                 ready: video.readyState, time: video.currentTime});
  }
  const heads = [...document.querySelectorAll(".curve i")];
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify({problems, videos,
    heads: heads.map((head) => parseFloat(head.style.left)),
    images: [...document.images].every((image) => image.naturalWidth > 0),
    overflow: document.documentElement.scrollWidth > innerWidth,
    loaded: performance.getEntriesByType("resource").map((r) => r.name)});
  document.body.append(out);
  holder.contentDocument.close();
});
</script>
"""


def _browse(page, *flags):
  return subprocess.run(
    [
      _CHROMIUM,
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND",
      "--autoplay-policy=no-user-gesture-required",
      "--hide-scrollbars",
      "--window-size=1200,2000",
      f"--user-data-dir={page.parent / 'profile'}",
      *flags,
      page.as_uri(),
    ],
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  ).stdout


@pytest.fixture
def page(tmp_path, make_video, make_estimate):
  class Answers:
    def estimate(self, video, *, on_progress=None):
      return make_estimate(video, duration_s=media.probe(video).duration_s)

  source = clips.Source(make_video(frames=80), speed=1.0)
  group = speeds.show(source, Answers(), tmp_path / "clips")
  report.write_page(tmp_path / "index.html", "Title", "Lead.", [group])
  return tmp_path / "index.html"


def test_every_video_of_the_page_plays(page):
  probed = page.with_name("probed.html")
  text = page.read_text()
  probed.write_text(text.replace("<head>", f"<head>{_PROBE}"))
  dom = _browse(probed, "--dump-dom")
  (probe,) = re.findall(r'<pre id="probe">(.*?)</pre>', dom)
  found = json.loads(html.unescape(probe))
  assert not found["problems"]
  assert [round(v["duration"], 1) for v in found["videos"]] == [
    3.2,
    1.6,
    0.8,
    pytest.approx(1.5, abs=0.2),
  ]
  for video in found["videos"]:
    assert video["width"] == 64
    assert video["ready"] >= 2  # It has the picture at its place.
    assert video["time"] == pytest.approx(video["duration"] / 2, abs=0.1)
  # The play heads stand in the middle of the curves.
  middle = 100 * (drawing.LEFT + drawing.RIGHT) / 2
  assert found["heads"] == pytest.approx([middle] * 4, abs=4)
  assert found["images"]
  assert not found["overflow"]
  assert all(name.startswith(("file:", "data:")) for name in found["loaded"])


def test_page_shows_curves_and_frames_in_colour(page):
  picture = page.with_name("page.png")
  _browse(page, "--virtual-time-budget=5000", f"--screenshot={picture}")
  pixels = image.imread(picture)[..., :3]
  assert pixels.shape == (2000, 1200, 3)
  # The blue bands, and the film strips' own colours.
  assert (np.ptp(pixels, axis=2) > 0.25).mean() > 0.01
