"""The TFDS builder `video_folder`, for `tfds build`; writes by TensorFlow.

    tfds build speedflow/data/video_folder.py \
        --manual_dir=VIDEOS --data_dir=OUT \
        --beam_pipeline_options=direct_num_workers=8

writes the records that `speedflow data build VIDEOS OUT` writes, which needs
no TensorFlow and can be resumed. The `tfds` command itself wants mlcroissant.
"""

import collections
import logging
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from speedflow import wording
from speedflow.data import catalogue, schema, shots
from speedflow.errors import SpeedflowError

_LISTS = frozenset({"frames/jpeg", "frames/time", "time_base", "fps"})


class VideoFolder(tfds.core.GeneratorBasedBuilder):
  """Shots of the videos of a folder, as JPEG frames with sound."""

  VERSION = tfds.core.Version("1.0.0")
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    "Give the folder of videos as --manual_dir; a `clips.csv` in it says what "
    "is known about them."
  )

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description="Shots of video as JPEG frames, with sound.",
      features=schema.tfds_features(),
    )

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Any]:
    by_split = collections.defaultdict(list)
    for clip in catalogue.from_folder(dl_manager.manual_dir):
      by_split[clip.split].append(clip)
    return {
      split: self._generate_examples(clips) for split, clips in by_split.items()
    }

  def _generate_examples(self, clips: list[catalogue.Clip]) -> Any:
    beam = tfds.core.lazy_imports.apache_beam
    return beam.Create(clips) | beam.Reshuffle() | beam.FlatMap(clip_examples)


def clip_examples(
  clip: catalogue.Clip,
) -> Iterator[tuple[str, dict[str, Any]]]:
  """Yields (key, example) for each record of a clip; none of a bad file."""
  try:
    for record in shots.ClipRecords(clip):
      yield record.id, nested_features(record)
  except SpeedflowError as error:
    logging.warning("left out: %s", wording.one_line(error))


def nested_features(record: schema.ShotRecord) -> dict[str, Any]:
  """Returns a record as the nested example of `schema.tfds_features`."""
  nested: dict[str, Any] = {}
  for name, value in record.features().items():
    *groups, leaf = name.split("/")
    place = nested
    for group in groups:
      place = place.setdefault(group, {})
    place[leaf] = list(value) if name in _LISTS else value[0]
  return nested
