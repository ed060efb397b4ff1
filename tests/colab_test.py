"""The notebooks run from top to bottom, on a CPU."""

import os
import pathlib

import nbclient
import nbformat
import pytest

from tests import conftest

_FOLDER = pathlib.Path(__file__).parents[1] / "colab"
# These compile as users do: estimator, detectors and superres among them.
_AS_USERS = ("forensics.ipynb", "slow_down_a_video.ipynb")


@pytest.mark.slow
@pytest.mark.parametrize(
  "name", sorted(p.name for p in _FOLDER.glob("*.ipynb"))
)
def test_notebook_runs_and_shows_its_videos(name, monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  if name in _AS_USERS:
    flags = os.environ["XLA_FLAGS"].split()
    usual = [flag for flag in flags if flag not in conftest.QUICK_TO_COMPILE]
    monkeypatch.setenv("XLA_FLAGS", " ".join(usual))
  notebook = nbformat.read(_FOLDER / name, as_version=4)
  assert not any(cell.get("outputs") for cell in notebook.cells)
  nbclient.NotebookClient(
    notebook,
    timeout=300,
    kernel_name="python3",
    resources={"metadata": {"path": str(_FOLDER)}},
  ).execute()
  shown = [
    output.data
    for cell in notebook.cells
    for output in cell.get("outputs", [])
    if output.output_type == "display_data"
  ]
  assert any("data:video/mp4" in data.get("text/html", "") for data in shown)
  assert any("image/svg+xml" in data for data in shown)
