"""The `speedflow` command.

Each subcommand imports what it needs when it runs, so that `--help` answers
at once. Results go to standard output, all else to standard error. Exit
codes: 0 success, 2 a problem that the user can mend, 130 interrupted, 141
the reader of the output went away.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import pathlib
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import speedflow
from speedflow import arguments, errors, wording
from speedflow.attribute import command as attribute_command
from speedflow.data import beam_runner
from speedflow.detect import command as detect_command
from speedflow.generate import command as generate_command
from speedflow.mine import command as mine_command
from speedflow.mine import events_command
from speedflow.output import claims, marks
from speedflow.superres import command as superres_command

if TYPE_CHECKING:
  from speedflow.detect import answer as detect_lib
  from speedflow.estimate import answer as estimate_lib

_Answer = TypeVar("_Answer", "estimate_lib.Estimate", "detect_lib.Detection")

_COLUMNS = (
  *("file", "start_s", "end_s", "speed", "speed_low", "speed_high"),
  "status",
)

# These read their own arguments, `--config.x.y=` among them.
_LAUNCHED = ("train", "eval", "sweep")


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command and returns its exit code.

  Args:
    argv: the arguments after the command's name; by default the process's.
  """
  argv = list(sys.argv[1:] if argv is None else argv)
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      # A file may have any bytes as its name.
      stream.reconfigure(errors="backslashreplace")
  try:
    if argv and argv[0] in _LAUNCHED:
      code = _launch(*argv)
    else:
      args = _parser().parse_args(argv)
      code = args.run(args)
    sys.stdout.flush()
  except errors.SpeedflowError as error:
    print(f"speedflow: {wording.one_line(error)}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("speedflow: interrupted", file=sys.stderr)
    return 130
  except BrokenPipeError:
    # Python flushes standard output once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
  except OSError as error:
    # Disks fill, and folders vanish, under libraries too.
    about = os.fsdecode(error.filename) if error.filename else "speedflow"
    print(
      f"speedflow: {errors.unwritable(about, error)}",
      file=sys.stderr,
    )
    return 2
  return code


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog="speedflow",
    description="See, measure and control the flow of time in video.",
  )
  parser.add_argument(
    "--version", action="version", version=f"speedflow {speedflow.__version__}"
  )
  commands = parser.add_subparsers(
    title="commands", metavar="COMMAND", required=True
  )

  estimate = commands.add_parser(
    "estimate",
    help="how fast does a video play?",
    description="Estimates how fast videos play: 2 is twice as fast as the "
    "world, 0.25 four times slowed. Intervals hold the truth with 80 % "
    "probability.",
  )
  estimate.add_argument("files", nargs="+", metavar="FILE")
  estimate.add_argument(
    "--json", action="store_true", help="print one JSON object per file"
  )
  estimate.add_argument(
    "--csv",
    metavar="OUT",
    help="write one row per segment; a name that a spreadsheet would take for "
    "a formula (first of all =, +, - or @) gets an apostrophe before it",
  )
  estimate.add_argument(
    "--plot",
    type=arguments.path_with_suffix(".png", ".html"),
    metavar="OUT.png|OUT.html",
    help="draw speed over time, as a picture or as a page with film strips",
  )
  arguments.add_overwrite(estimate)
  estimate.set_defaults(run=_estimate)

  detect = commands.add_parser(
    "detect",
    help="where was a video's speed changed?",
    description="Finds where the speed of videos was changed, by picture and "
    "sound, and says what was done: untouched, sped up, slowed down, mixed, or "
    "in conflict, where picture and sound were not changed alike.",
  )
  detect_command.add_arguments(detect)
  detect.set_defaults(run=_detect)

  superres = commands.add_parser(
    "superres",
    help="make more frames, or slow motion, of a video",
    description="Makes frames between those of a video, deblurred where the "
    "shutter was open long, and says of each whether it was seen or made.",
  )
  superres_command.add_arguments(superres)
  superres.set_defaults(run=_superres)

  generate = commands.add_parser(
    "generate",
    help="set a picture in motion at the speed you ask for",
    description="Makes a clip from one picture, at any speed or along a curve "
    "of speeds; several speeds are shown side by side.",
  )
  generate_command.add_arguments(generate)
  generate.set_defaults(run=_generate)

  attribute = commands.add_parser(
    "attribute",
    help="which training clips taught the generator a motion?",
    description="Ranks the clips that a generator was trained on by what they "
    "taught it of the motion of some queries, for and against, and selects "
    "what to train on. Killed and run again, it goes on where it was.",
  )
  attribute_command.add_arguments(attribute)
  attribute.set_defaults(run=_attribute)

  mine = commands.add_parser(
    "mine",
    help="find slow motion in any amount of video",
    description="Finds slow motion in collections of any size: clips, training "
    "records, a report, and a stated false-positive rate. Killed and run "
    "again, it goes on where it was. A file that cannot be read is left out "
    "and named.",
  )
  mine_command.add_arguments(mine)
  mine.set_defaults(run=mine_command.run)

  events = commands.add_parser(
    "events",
    help="find real speed changes in a collection, by ear",
    description="Listens to a folder of videos for changes of playback speed, "
    "and writes what it finds as records, with how sure it is.",
  )
  events_command.add_arguments(events)
  events.set_defaults(run=events_command.run)

  data = commands.add_parser("data", help="build and inspect training records")
  data_commands = data.add_subparsers(metavar="COMMAND", required=True)
  build = data_commands.add_parser(
    "build",
    help="turn a folder of videos into records",
    description="Turns a folder of videos into sharded records. Killed and run "
    "again, it goes on where it was. A file that cannot be read is left out "
    "and named.",
  )
  build.add_argument("source", metavar="SRC", help="folder of videos")
  build.add_argument("out", metavar="OUT", help="folder for the records")
  build.add_argument(
    "--csv",
    metavar="FILE",
    help="what is known about the videos (default: SRC/clips.csv, if any)",
  )
  for flag, default, text in (
    ("--short-side", 256, "pixels of the stored frames' short side"),
    ("--quality", 90, "JPEG quality, 1 to 100"),
    ("--shards", 8, "files per split"),
    ("--workers", os.cpu_count(), "processes"),
  ):
    build.add_argument(
      flag,
      type=int,
      metavar="N",
      default=default,
      help=f"{text} (default: {default})",
    )
  build.add_argument(
    "--keep-cuts", action="store_true", help="do not split videos at cuts"
  )
  build.add_argument(
    "--format", choices=["tfrecord", "array_record"], default="tfrecord"
  )
  arguments.add_overwrite(build)
  beam_runner.add_arguments(build)
  build.set_defaults(run=_build)
  motion = data_commands.add_parser(
    "motion",
    help="turn records of shots into records of their motion",
    description="Computes what the speed networks see of each shot. Killed "
    "and run again, it goes on where it was; what is there already is kept, "
    "whatever its looks and seed.",
  )
  motion.add_argument("records", metavar="RECORDS", help="records of shots")
  motion.add_argument("out", metavar="OUT", help="folder for the motion")
  motion.add_argument(
    "--looks",
    type=int,
    metavar="N",
    default=4,
    help="appearances of each training shot (default: 4)",
  )
  motion.set_defaults(run=_motion)
  procedural = data_commands.add_parser(
    "procedural",
    help="make records of scenes that are calculated",
    description="Films scenes of known physics, for where there is no video "
    "at hand.",
  )
  procedural.add_argument("out", metavar="OUT", help="folder for the records")
  procedural.add_argument(
    "--scenes",
    type=int,
    metavar="N",
    default=64,
    help="how many (default: 64)",
  )
  procedural.set_defaults(run=_procedural)
  for command in (motion, procedural):
    arguments.add_overwrite(command)
    command.add_argument("--seed", type=int, metavar="S", default=0)
    command.add_argument(
      "--workers",
      type=int,
      metavar="N",
      default=os.cpu_count(),
      help=f"processes (default: {os.cpu_count()})",
    )
  inspect = data_commands.add_parser(
    "inspect", help="show what a folder of records holds"
  )
  inspect.add_argument("out", metavar="OUT", help="folder of records")
  inspect.add_argument("--json", action="store_true", help="print JSON")
  inspect.add_argument(
    "--sheet",
    metavar="PICTURE",
    help="contact sheet, .jpg or .png (default: OUT/contact_sheet.jpg)",
  )
  arguments.add_overwrite(inspect)
  inspect.set_defaults(run=_inspect)

  # Only listed here: `main` hands them on before this parser reads them.
  for name, text in zip(
    _LAUNCHED,
    [
      "train an experiment: --config=FILE.py[:VARIANT] --workdir=DIR",
      "evaluate a trained experiment",
      "print or run one command per combination of settings",
    ],
    strict=True,
  ):
    commands.add_parser(name, help=text)
  return parser


def _estimate(args: argparse.Namespace) -> int:
  from speedflow.estimate import answer as estimate_lib
  from speedflow.estimate import estimator as estimator_lib

  wanted = {args.csv: marks.is_table(_COLUMNS), args.plot: marks.is_marked}
  with _claimed(args, "estimate", wanted):
    estimator = estimator_lib.load_estimator()
    estimates, interrupted = _ask(
      args, estimator.estimate, estimate_lib.Estimate.failed
    )
    if not args.json:
      _print_table(estimates)
    if args.csv:
      _write_csv(estimates, args.csv)
    if args.plot:
      from speedflow.estimate import report

      report.write(estimates, args.plot)
  return _exit_code(estimates, interrupted)


def _claimed(
  args: argparse.Namespace,
  command: str,
  wanted: Mapping[str | None, claims.Recognise],
) -> contextlib.AbstractContextManager[None]:
  """Claims the outputs that were asked for, against the files that are read."""
  return claims.claim(
    command,
    files={path: ours for path, ours in wanted.items() if path is not None},
    inputs=args.files,
    overwrite=args.overwrite,
  )


def _detect(args: argparse.Namespace) -> int:
  from speedflow.detect import answer as detect_lib
  from speedflow.detect import detector as detector_lib

  wanted = dict.fromkeys((args.plot, args.report), marks.is_marked)
  with _claimed(args, "detect", wanted):
    detector = detector_lib.load_detector()
    detections, interrupted = _ask(
      args, detector.detect, detect_lib.Detection.failed
    )
    detect_command.show(args, detections)
  return _exit_code(detections, interrupted)


def _ask(
  args: argparse.Namespace,
  answer: Callable[..., _Answer],
  failed: Callable[[str, str], _Answer],
) -> tuple[list[_Answer], bool]:
  """Gets an answer about each file; a bad one never ends the batch.

  Args:
    args: `files`, and whether to print each answer as `json` at once.
    answer: takes a file, and `on_progress`.
    failed: makes the answer about a file that could not be read.

  Returns:
    The answers, and whether Ctrl-C kept the others away.

  Raises:
    KeyboardInterrupt: Ctrl-C, and there are no answers yet.
  """
  answers: list[_Answer] = []
  # On a screen, the lines would run into the bar.
  shown = not (args.json and sys.stdout.isatty())
  try:
    with _interruption() as pressed, _progress(len(args.files), shown) as begin:
      for file in args.files:
        try:
          found = answer(file, on_progress=begin(file))
        except (errors.SpeedflowError, OSError) as error:
          found = failed(file, wording.one_line(error))
        if pressed():
          # Who swallowed it may have cut this answer short, or made an error
          # of it.
          raise KeyboardInterrupt
        if found.error:
          print(f"speedflow: {wording.shown(found.error)}", file=sys.stderr)
        answers.append(found)
        if args.json:
          print(json.dumps(found.to_json(), allow_nan=False), flush=True)
  except KeyboardInterrupt:
    if not answers:
      raise
    return answers, True
  return answers, False


def _exit_code(answers: Sequence[_Answer], interrupted: bool) -> int:
  """The exit code of a batch, whose outputs are written by now.

  Raises:
    KeyboardInterrupt: the batch was interrupted.
  """
  if interrupted:
    raise KeyboardInterrupt
  return 2 if any(answer.status == "error" for answer in answers) else 0


def _superres(args: argparse.Namespace) -> int:
  with _progress(1) as begin:
    return superres_command.run(args, begin(args.output))


def _generate(args: argparse.Namespace) -> int:
  with _progress(1) as begin:
    return generate_command.run(args, begin(args.out))


def _attribute(args: argparse.Namespace) -> int:
  with _progress(1) as begin:
    return attribute_command.run(args, begin(args.out))


@contextlib.contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
  """Remembers Ctrl-C: libraries may swallow it inside their callbacks."""
  pressed = threading.Event()

  def note(signum: int, frame: types.FrameType | None) -> None:
    del signum, frame
    pressed.set()
    raise KeyboardInterrupt

  # Only the main thread may listen, and a notebook keeps its own handler.
  if threading.current_thread() is not threading.main_thread():
    yield pressed.is_set
    return
  before = signal.signal(signal.SIGINT, note)
  try:
    yield pressed.is_set
  finally:
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _progress(
  total: int, shown: bool = True
) -> Iterator[Callable[[str], Callable[[float], None]]]:
  """A bar on standard error, when that is a terminal.

  Args:
    total: how many files there will be.
    shown: whether there is a bar at all.

  Yields:
    A function that begins the next file and returns what takes the fraction
    of it that is done.
  """
  if not (shown and sys.stderr.isatty()):
    yield lambda file: lambda done: None
    return
  from rich import console, progress

  with progress.Progress(
    progress.TextColumn("{task.description}", markup=False),
    progress.BarColumn(),
    progress.TaskProgressColumn(),
    progress.TimeRemainingColumn(),
    console=console.Console(stderr=True),
    transient=True,
    # Results go where they always go.
    redirect_stdout=False,
  ) as bar:
    task = bar.add_task("", total=total)
    begun = 0

    def begin(file: str) -> Callable[[float], None]:
      nonlocal begun
      before, begun = begun, begun + 1
      name = wording.shown(pathlib.Path(file).name)
      bar.update(task, description=name, completed=before)
      return lambda done: bar.update(task, completed=before + done)

    yield begin


def _print_table(estimates: Sequence["estimate_lib.Estimate"]) -> None:
  from rich import box, console, table, text

  rows = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
  rows.add_column("file", overflow="fold")
  for name in ("length", "fps", "speed", "80 % interval"):
    rows.add_column(name, justify="right", no_wrap=True)
  rows.add_column("status", no_wrap=True)
  notes = []
  for found in estimates:
    name = wording.shown(found.file)
    numbers = [""] * 4
    if found.duration_s is not None:
      numbers[0] = f"{found.duration_s:.1f} s"
    if found.fps is not None:
      numbers[1] = f"{found.fps:.5g}"
    if found.status == "ok":
      numbers[2] = f"{found.speed:.3g}x"
      numbers[3] = f"{found.speed_low:.2g}-{found.speed_high:.2g}"
      if len(found.segments) > 1:
        notes.append(f"{name}: {_spans(found.segments)}")
    elif found.status == "uncertain":
      notes.append(f"{name}: {found.in_words()}")
    # Text, since a file name may look like rich's markup.
    rows.add_row(text.Text(name), *numbers, found.status)
  # A pipe has no width for the names to be folded at.
  width = None if sys.stdout.isatty() else 1000
  console.Console(width=width).print(rows)
  for note in notes:
    print(note)


def _spans(segments: Sequence["estimate_lib.Segment"]) -> str:
  return ", ".join(
    f"{s.start_s:.1f}-{s.end_s:.1f} s {s.speed:.2g}x" for s in segments
  )


def _write_csv(estimates: Sequence["estimate_lib.Estimate"], path: str) -> None:
  from speedflow.output import atomic

  with (
    atomic.atomic_path(path) as temporary,
    temporary.open("w", newline="", errors="surrogateescape") as out,
  ):
    rows = csv.writer(out)
    rows.writerow(_COLUMNS)
    for found in estimates:
      answer = found.to_json()
      for segment in answer["segments"] or [{}]:
        rows.writerow(
          [wording.cell(found.file)]
          + [segment.get(k) for k in ("start_s", "end_s", "speed")]
          + [segment.get(k) for k in ("speed_low", "speed_high")]
          + [found.status]
        )


def _build(args: argparse.Namespace) -> int:
  from rich import box, console, table

  from speedflow.data import build as build_lib

  with _progress(1) as begin:
    advance = begin("building")
    report = build_lib.build(
      args.source,
      args.out,
      csv_file=args.csv,
      short_side=args.short_side,
      quality=args.quality,
      find_cuts=not args.keep_cuts,
      shards_per_split=args.shards,
      file_format=args.format,
      runner=args.runner,
      num_workers=args.workers,
      beam_options=args.beam_option,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / max(total, 1)),
    )
  rows = table.Table(
    "split",
    *(
      table.Column(name, justify="right")
      for name in ("records", "frames", "hours")
    ),
    box=box.SIMPLE_HEAD,
    pad_edge=False,
  )
  for split, records in report.records.items():
    rows.add_row(
      split,
      f"{records}",
      f"{report.frames[split]}",
      f"{report.hours[split]:.3f}",
    )
  console.Console().print(rows)
  print(
    f"{report.clips} videos, {len(report.failures)} left out: "
    f"{wording.shown(args.out)}"
  )
  return 0


def _motion(args: argparse.Namespace) -> int:
  from speedflow.data import motion

  with _progress(1) as begin:
    advance = begin("motion")
    written = motion.build_motion(
      pathlib.Path(args.records),
      pathlib.Path(args.out),
      looks=args.looks,
      seed=args.seed,
      workers=args.workers,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / total),
    )
  print(f"{written} new records: {wording.shown(args.out)}")
  return 0


def _procedural(args: argparse.Namespace) -> int:
  from speedflow.data import procedural

  with _progress(1) as begin:
    advance = begin("filming")
    written = procedural.build(
      pathlib.Path(args.out),
      args.scenes,
      seed=args.seed,
      workers=args.workers,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / total),
    )
  print(f"{written} new records: {wording.shown(args.out)}")
  return 0


def _inspect(args: argparse.Namespace) -> int:
  from speedflow.data import inspect as inspect_lib

  sheet = args.sheet or str(pathlib.Path(args.out) / "contact_sheet.jpg")
  files = inspect_lib.record_files(args.out)
  with claims.claim(
    "data inspect",
    files={sheet: marks.is_marked},
    inputs=files,
    overwrite=args.overwrite,
  ):
    found = inspect_lib.inspect(args.out)
    print(json.dumps(found) if args.json else inspect_lib.table(found))
    inspect_lib.contact_sheet(args.out, sheet)
  print(f"pictures: {wording.shown(sheet)}", file=sys.stderr)
  return 0


def _launch(command: str, *argv: str) -> int:
  from speedflow import main as launcher

  return launcher.run(argv, command)


if __name__ == "__main__":
  sys.exit(main())
