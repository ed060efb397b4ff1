"""No command harms a file that it did not make, whatever is asked of it."""

import hashlib
import pathlib
import resource

import pytest

from speedflow import cli
from speedflow.output import claims

# By verb, the arguments; {video}, {folder} (of it) and {out} are filled in.
_FILES = {
  "estimate --csv": "estimate {video} --csv {out}.csv",
  "estimate --plot picture": "estimate {video} --plot {out}.png",
  "estimate --plot page": "estimate {video} --plot {out}.html",
  "detect --plot": "detect {video} --plot {out}.png",
  "detect --report": "detect {video} --report {out}.html",
  "superres": "superres {video} {out}.mp4",
  "superres --report": "superres {video} made.mp4 --report {out}.html",
  "generate": "generate --video {video} {out}.mp4 --frames 3 --size 32",
}
_FOLDERS = {
  "mine": "mine {video} --out {out}",
  "data build": "data build {folder} {out}",
  "data procedural": "data procedural {out} --scenes 3",
  "events": "events {folder} {out}",
  "train": "train --config=configs/speed_estimator.py:smoke --workdir={out}",
}


@pytest.fixture
def speedflow(make_video, tmp_path, monkeypatch, capsys):
  """Gives `run(command, out)`: the exit code and what it said on stderr."""
  (tmp_path / "in").mkdir()
  video = make_video(tmp_path / "in" / "moving.mp4", frames=12)
  configs = pathlib.Path("configs").absolute()
  monkeypatch.chdir(tmp_path)
  pathlib.Path("configs").symlink_to(configs)

  def run(command: str, out) -> tuple[int, list[str]]:
    words = command.format(video=video, folder=video.parent, out=out).split()
    code = cli.main(words)
    return code, capsys.readouterr().err.splitlines()

  return run


def _digests(folder: pathlib.Path) -> dict[str, str]:
  return {
    str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(folder.rglob("*"))
    if path.is_file()
  }


def _is_refusal(answer: tuple[int, list[str]], about: str) -> None:
  code, said = answer
  assert code == 2, said
  (line,) = said
  assert line.startswith("speedflow")
  assert about in line


@pytest.mark.parametrize("command", _FILES.values(), ids=_FILES)
def test_foreign_file_in_the_place_of_an_output_is_kept(
  speedflow, tmp_path, command
):
  suffix = command.split("{out}")[1].split()[0]
  theirs = tmp_path / f"theirs{suffix}"
  theirs.write_text("somebody's")
  before = _digests(tmp_path)
  _is_refusal(speedflow(command, tmp_path / "theirs"), "--overwrite")
  assert _digests(tmp_path) == before


@pytest.mark.parametrize("command", _FILES.values(), ids=_FILES)
def test_folder_in_the_place_of_a_file_is_said_before_the_work(
  speedflow, tmp_path, command
):
  suffix = command.split("{out}")[1].split()[0]
  (tmp_path / f"folder{suffix}").mkdir()
  before = _digests(tmp_path)
  _is_refusal(speedflow(command, tmp_path / "folder"), "a folder")
  assert _digests(tmp_path) == before


@pytest.mark.parametrize(
  "command", (_FILES | _FOLDERS).values(), ids=_FILES | _FOLDERS
)
def test_path_below_a_file_is_one_line(speedflow, tmp_path, command):
  (tmp_path / "file").write_text("somebody's")
  before = _digests(tmp_path)
  _is_refusal(speedflow(command, tmp_path / "file" / "out"), "could not be")
  assert _digests(tmp_path) == before


@pytest.mark.parametrize(
  "command", (_FILES | _FOLDERS).values(), ids=_FILES | _FOLDERS
)
def test_second_run_into_one_output_is_refused_and_told_of_the_first(
  speedflow, tmp_path, command
):
  suffix = (
    command.split("{out}")[1].split()[0]
    if command in [*_FILES.values()]
    else ""
  )
  out = tmp_path / f"out{suffix}"
  kind = {"files": {out: bool}} if suffix else {"folders": [out]}
  with claims.claim("first", **kind):
    answer = speedflow(command, tmp_path / "out")
  _is_refusal(answer, "speedflow first (process")


@pytest.mark.parametrize(
  "command",
  [
    "estimate {video} --csv {video}",
    "detect {video} --report link.html",
    "superres {video} in/../in/moving.mp4",
    "superres {video} made.mp4 --report made.mp4.html --weights made.mp4.html",
    "generate --video {video} {video}",
    "mine {folder} --out {folder}",
    "data build {folder} {folder}",
    "events {folder} {folder}",
  ],
)
def test_input_is_never_an_output(speedflow, tmp_path, command):
  (tmp_path / "link.html").symlink_to(tmp_path / "in" / "moving.mp4")
  before = _digests(tmp_path)
  code, said = speedflow(command, None)
  assert code == 2
  assert len(said) == 1
  assert "input and output" in said[0]
  assert _digests(tmp_path) == before


def test_two_outputs_are_two_files(speedflow):
  command = "detect {video} --plot a.html.png --report ./b/../a.html"
  assert speedflow(command, None)[0] == 0
  pathlib.Path("b.html").symlink_to("a.png")
  _is_refusal(
    speedflow("detect {video} --plot a.png --report b.html", None),
    "two outputs",
  )


@pytest.mark.parametrize("verb", ["estimate", "detect"])
def test_picture_of_very_many_files_is_refused_before_the_work(speedflow, verb):
  command = f"{verb} {'none.mp4 ' * 81} --plot many.png"
  _is_refusal(speedflow(command, None), "a page (.html)")


_TEMPTING = (
  *("holiday-slowmo-1.mp4", "my-slowmo-notes.txt", "files/.hidden.json"),
  *("my-video_folder-1.txt", ".a.0123456789ab.csv", "parts/notes.json"),
  *("slowmo-train.tfrecord-notes", "video_folder-train.tfrecord.bak"),
  *(".clips.aaaaaaaaaaaa.csv", "files/mine.tfrecord", "parts/.x.json"),
)


@pytest.mark.parametrize("verb", ["mine", "data build"])
def test_bystanders_in_an_output_folder_are_not_touched(
  speedflow, tmp_path, verb
):
  out = tmp_path / "out"
  for name in _TEMPTING:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{name} is somebody's")
  before = _digests(out)
  for _ in range(2):  # The second finds what the first has made.
    assert speedflow(_FOLDERS[verb], out)[0] == 0
    after = _digests(out)
    assert {name: after[name] for name in before} == before
  assert len(after) > len(before)


def test_own_outputs_are_made_anew_without_a_word(speedflow, tmp_path):
  for command in (_FILES["estimate --csv"], _FILES["estimate --plot page"]):
    for _ in range(2):
      assert speedflow(command, tmp_path / "out")[0] == 0
  assert not [path for path in tmp_path.glob(".*")]


@pytest.mark.slow
def test_video_that_was_changed_since_is_not_replaced(speedflow, tmp_path):
  out = tmp_path / "out.mp4"
  for _ in range(2):
    assert speedflow(_FILES["superres"], tmp_path / "out")[0] == 0
  out.write_bytes(out.read_bytes() + b"\0\0\0\x08free")
  before = out.read_bytes()
  _is_refusal(speedflow(_FILES["superres"], tmp_path / "out"), "changed since")
  assert out.read_bytes() == before


@pytest.mark.parametrize("left", [(), (".made_of.0123456789ab.json",)])
def test_beginnings_of_pieces_are_ours(speedflow, tmp_path, left):
  parts = tmp_path / "out.mp4.parts"
  parts.mkdir()
  for name in left:
    (parts / name).touch()
  assert speedflow(_FILES["superres"] + " --resume", tmp_path / "out")[0] == 0
  assert not parts.exists()


def test_pieces_of_somebody_else_are_not_ours(speedflow, tmp_path):
  parts = tmp_path / "out.mp4.parts"
  parts.mkdir()
  (parts / "000000.mov").write_text("somebody's")
  _is_refusal(speedflow(_FILES["superres"], tmp_path / "out"), "not ours")
  assert (parts / "000000.mov").read_text() == "somebody's"


@pytest.fixture
def small_disk():
  """Gives `limit(bytes)`: no file of this process may be larger."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

  def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

  yield limit
  resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
  ("verb", "size"),
  [
    *(("estimate --csv", 0), ("estimate --csv", 600), ("events", 0)),
    *(("estimate --plot picture", 600), ("detect --report", 600)),
    *(("superres", 0), ("superres", 600), ("mine", 0), ("mine", 600)),
    *(("data build", 0), ("data build", 600)),
  ],
)
def test_disk_that_is_full_is_one_line_and_leaves_nothing_half(
  speedflow, tmp_path, small_disk, verb, size
):
  command = (_FILES | _FOLDERS)[verb]
  before = _digests(tmp_path)
  # No table of one file is so large; many files make it.
  command = (
    command.replace("{video}", "{video} " + "none.mp4 " * 40, 1)
    if (verb == "estimate --csv")
    else command
  )
  small_disk(size)
  code, said = speedflow(command, tmp_path / "out")
  small_disk(resource.RLIM_INFINITY)
  assert code == 2
  assert "could not be written" in said[-1]
  assert not [line for line in said if "Traceback" in line]
  after = _digests(tmp_path)
  assert {name: after[name] for name in before} == before
  suffix = command.split("{out}")[1].split(" ")[0]
  assert f"out{suffix}" not in after


def test_evaluation_does_not_clear_away_what_a_run_is_saving(tmp_path):
  from speedflow.training import checkpoint, config

  settings = config.default_training()
  saving = tmp_path / "5.orbax-checkpoint-tmp"
  saving.mkdir(parents=True)
  checkpoint.Checkpointer(tmp_path, settings, read_only=True).close()
  assert saving.exists()


def test_records_that_may_only_be_read_are_shown(
  tmp_path, records_root, monkeypatch, capsys
):
  from speedflow.data import command

  # The tests may run as root, for whom no folder is read-only.
  monkeypatch.setattr(command.os, "access", lambda path, mode: False)
  clips = records_root / "records" / "clips"
  assert cli.main(["data", "inspect", str(clips)]) == 0
  captured = capsys.readouterr()
  assert "train" in captured.out
  assert "read-only" in captured.err
