import pytest

from speedflow.data import selection
from speedflow.errors import SpeedflowError

IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def write(tmp_path):
  def make(text):
    path = tmp_path / "selection.csv"
    path.write_text(text)
    return path

  return make


def test_elements_are_drawn_as_often_as_they_weigh(write):
  path = write("id,weight,decision\na,1,keep\nb,3,keep\nc,0,drop\nd,1,keep\n")
  parts = selection.parts(IDS, IDS, path)
  drawn = {part[i]: share for part, share in parts for i in range(len(part))}
  assert drawn == {"a": 0.4, "d": 0.4, "b": 0.6}
  # So b is drawn thrice as often as a, and as d: (0.4 / 2) x 3.
  assert sum(share for _, share in parts) == pytest.approx(1)
  assert {len(part) for part, _ in parts} == {1, 2}


@pytest.mark.parametrize(
  ("text", "says"),
  [
    ("id,weight\na,0\n", "selects nothing"),
    ("id,weight\na,-1\n", "the weight -1"),
    ("id,weight\na,nan\n", "the weight nan"),
    ("id,weight\na,1\na,1\n", "'a' twice"),
    ("name,weight\na,1\n", "not a selection"),
    ("id,weight\na,lots\n", "not a selection"),
    ("id,weight\na,1\nz,1\n", "1 of 2 ids, such as 'z'"),
  ],
)
def test_a_bad_selection_is_named(write, text, says):
  path = write(text)
  with pytest.raises(SpeedflowError, match=says) as error:
    selection.parts(IDS, IDS, path)
  assert str(path) in str(error.value)


def test_a_missing_selection_is_named(tmp_path):
  with pytest.raises(SpeedflowError, match=r"none\.csv: cannot be read"):
    selection.read(tmp_path / "none.csv")


def test_ids_are_told_from_formulas(write):
  path = write("id,weight\n'=a,1\n'b,2\n''-c,3\n")
  assert selection.read(path) == {"=a": 1, "'b": 2, "'-c": 3}
