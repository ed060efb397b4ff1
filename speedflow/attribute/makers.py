"""Which generator is asked, and of what it learnt: by the weights."""

import pathlib
from typing import Any

from speedflow.attribute import track_features
from speedflow.attribute.features import Maker
from speedflow.attribute.options import Options
from speedflow.data.records import split_shards
from speedflow.generate import weights as generator_weights


def load(
  data: pathlib.Path, options: Options
) -> tuple[Maker[Any], list[pathlib.Path]]:
  """Loads the generator.

  Args:
    data: folder of the records that it learnt from.
    options: name the weights and the split.

  Returns:
    What makes features by it, and the files of records.

  Raises:
    SpeedflowError: no such weights or records, or they do not belong together.
  """
  if options.by_wan:
    # Its networks take a while to import.
    from speedflow.attribute import wan_features

    return wan_features.load(
      pathlib.Path(options.weights), data, options.split, options.adapter_rank
    )
  maker = generator_weights.load_generator(options.weights)
  remedy = f"`python -m experiments.speed_generator.tracks RECORDS {data}`"
  shards = split_shards(
    data, options.split, "tracks", f"write them with {remedy}"
  )
  settings = track_features.Settings.of(maker)
  return track_features.FeatureMaker(maker, settings), shards
