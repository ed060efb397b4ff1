import pytest

from speedflow.data import records, schema, shots

pytest.importorskip("tensorflow")
pytest.importorskip("apache_beam")


def test_tfds_builds_what_the_shots_are(tmp_path, write_video):
  from speedflow.data import catalogue, video_folder

  videos = tmp_path / "videos"
  write_video(videos / "a.mp4", [10, 12], size=(64, 48))
  (videos / "bad.mp4").write_bytes(b"no video")
  (videos / "clips.csv").write_text(
    "file,split,speed,label\na.mp4,train,0.5,known\nbad.mp4,train,,\n"
  )
  builder = video_folder.VideoFolder(data_dir=tmp_path / "data")
  builder.download_and_prepare(
    download_config=_manual(videos), file_format="tfrecord"
  )
  found = {
    shot.id: shot
    for shot in map(
      schema.ShotRecord.decode,
      records.RecordSource(builder.data_path / "*.tfrecord-*"),
    )
  }
  (clip,) = (c for c in catalogue.from_folder(videos) if c.name == "a")
  wanted = {record.id: record for record in shots.ClipRecords(clip)}
  assert found.keys() == wanted.keys() == {"a/0/0", "a/1/0"}
  for name, record in wanted.items():
    assert found[name].encode() == record.encode()


def _manual(folder):
  import tensorflow_datasets as tfds

  return tfds.download.DownloadConfig(manual_dir=folder)
