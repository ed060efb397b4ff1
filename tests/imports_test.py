"""The direction of imports: down the house, and never in a circle."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

_ROOT = pathlib.Path(__file__).parents[1]

# From the ground up: a package imports those before it, and itself. Packages
# of one tuple do not know each other.
_FLOORS = (
  ("errors",),
  ("wording", "output"),
  ("inputs", "arguments", "progress"),
  ("media", "timewarp"),
  ("batch", "declared"),
  ("data", "models"),
  ("sound", "evaluation"),
  ("training", "weights"),
  ("pictures", "pages"),
  ("clocks", "wan"),
  ("estimate", "generate", "probe", "superres"),
  ("detect", "attribute", "retime"),
  ("mine",),
  ("api", "main"),
  ("cli", "demo"),
)
_FLOOR = {name: n for n, names in enumerate(_FLOORS) for name in names}


def _modules(folder: str) -> Iterator[tuple[str, pathlib.Path]]:
  for path in sorted((_ROOT / folder).rglob("*.py")):
    relative = path.relative_to(_ROOT).with_suffix("")
    yield ".".join(relative.parts).removesuffix(".__init__"), path


def _imported(path: pathlib.Path, *, always: bool = False) -> set[str]:
  """Modules that a file imports.

  Args:
    path: the file.
    always: leave out what is imported within functions, or for types alone.
  """
  tree = ast.parse(path.read_text())
  nodes: list[ast.AST] = list(tree.body if always else ast.walk(tree))
  found = set()
  for node in nodes:
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and node.module:
      found |= {f"{node.module}.{alias.name}" for alias in node.names}
  return found


def _package(module: str) -> str:
  """The part of the house that a module lives in."""
  return module.split(".")[1]


@pytest.mark.parametrize(("name", "path"), list(_modules("speedflow")))
def test_library_imports_downwards(name, path):
  if name == "speedflow":
    return
  own = _package(name)
  for other in _imported(path):
    if not other.startswith("speedflow.") or other == "speedflow.__version__":
      continue
    package = _package(other)
    below = own == package or _FLOOR[package] < _FLOOR[own]
    assert below, f"{name} imports {other}, which is not below it"


@pytest.mark.parametrize(("name", "path"), list(_modules("speedflow")))
def test_library_knows_no_experiment(name, path):
  # An experiment is loaded by the name that its configuration gives.
  assert not [
    other
    for other in _imported(path)
    if other.split(".")[0] in ("experiments", "configs", "bench", "tests")
  ]


def test_no_modules_import_each_other_in_a_circle():
  files = dict(_modules("speedflow"))
  edges = {
    name: {
      other if other in files else other.rpartition(".")[0]
      for other in _imported(path, always=True)
      if other.startswith("speedflow.")
    }
    - {name}
    for name, path in files.items()
  }
  done: set[str] = set()

  def visit(name: str, way: tuple[str, ...]) -> None:
    assert name not in way, " -> ".join((*way, name))
    if name in files and name not in done:
      for other in sorted(edges[name]):
        visit(other, (*way, name))
      done.add(name)

  for name in files:
    visit(name, ())
