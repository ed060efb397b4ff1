"""What one run of a compiled program costs: arithmetic and traffic.

XLA's own cost analysis counts the body of a loop once, however often it runs;
the counts here multiply by the number of rounds.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator
from typing import Any

from jax.extend import core

_DTYPE_BYTES = {"pred": 1, "bf16": 2, "c64": 8, "c128": 16}


def flops(jaxpr: core.Jaxpr) -> float:
  """Floating-point operations of all matrix products and convolutions.

  Args:
    jaxpr: of the whole program over all devices, as `Traced.jaxpr.jaxpr`;
      what remat computes twice is counted twice.
  """
  return sum(_equation_flops(equation) for equation in jaxpr.eqns)


def _equation_flops(equation: Any) -> float:
  name, params = equation.primitive.name, equation.params
  if name == "dot_general":
    (contracted, _), _ = params["dimension_numbers"]
    left, out = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    return 2 * math.prod(out) * math.prod(left[axis] for axis in contracted)
  if name == "conv_general_dilated":
    kernel, out = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
    # Each output element sees all of the kernel but its output features.
    outputs = kernel[params["dimension_numbers"].rhs_spec[0]]
    return 2 * math.prod(out) * math.prod(kernel) / outputs
  inner = [flops(jaxpr) for jaxpr in _jaxprs(params)]
  if name == "cond":
    return max(inner)
  if name == "pallas_call":
    # Of one tile; conditions inside it are taken to hold.
    return math.prod(params["grid_mapping"].grid) * sum(inner)
  if name == "shard_map":
    # Of one device.
    shape = params["mesh"].shape
    return math.prod(shape[axis] for axis in params["newly_manual_axes"]) * sum(
      inner
    )
  return params["length"] * sum(inner) if name == "scan" else sum(inner)


def _jaxprs(params: dict[str, Any]) -> Iterator[core.Jaxpr]:
  for value in params.values():
    for item in value if isinstance(value, tuple | list) else [value]:
      if isinstance(item, core.ClosedJaxpr):
        yield item.jaxpr
      elif isinstance(item, core.Jaxpr):
        yield item


@dataclasses.dataclass(frozen=True)
class Traffic:
  """The collective operations of a program.

  Attributes:
    operations: how many run, by kind.
    bytes: sent by each device, by kind, with ring algorithms.
  """

  operations: dict[str, int]
  bytes: dict[str, float]


_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\{$")
_CALL = re.compile(r"(?:calls|to_apply|condition|body)=%?([\w.-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_WHILE = re.compile(r" while\(.*condition=%?([\w.-]+), body=%?([\w.-]+)")
_ROUNDS = re.compile(r"s32\[\]\S* constant\((\d+)\)")
_COLLECTIVE = re.compile(
  r" = (?P<result>.*?) (?P<kind>all-reduce|all-gather|reduce-scatter|"
  r"all-to-all|collective-permute)(?P<start>-start)?\("
)
_CHANNEL = re.compile(r"channel_id=(\d+)")
_ARRAY = re.compile(r"\b([a-z]+\d*\w*)\[([\d,]*)\]")
_GROUPS = re.compile(r"replica_groups=(?:\{\{([\d,]*)\}|\[\d+,(\d+)\])")

# Bytes that a device sends, per byte of its result, among n devices.
_SENT = {
  "all-reduce": lambda n: 2 * (n - 1) / n,
  "all-gather": lambda n: (n - 1) / n,
  "reduce-scatter": lambda n: n - 1,
  "all-to-all": lambda n: (n - 1) / n,
  "collective-permute": lambda n: 1,
}


def traffic(hlo: str) -> Traffic:
  """Counts what the devices send to each other.

  Args:
    hlo: a compiled program's text, as `Compiled.as_text()`.
  """
  computations: dict[str, list[str]] = {}
  lines: list[str] = []
  entry = ""
  for line in hlo.splitlines():
    if header := _COMPUTATION.match(line):
      lines = computations.setdefault(header[2], [])
      entry = header[2] if header[1] else entry
    else:
      lines.append(line)

  callers: dict[str, list[tuple[str, int]]] = {}
  for name, body in computations.items():
    for line in body:
      for callee, rounds in _calls(line, computations):
        callers.setdefault(callee, []).append((name, rounds))

  @functools.cache
  def runs(name: str) -> int:
    if name == entry:
      return 1
    return sum(
      rounds * runs(caller) for caller, rounds in callers.get(name, [])
    )

  # An asynchronous operation is written out in several places that share a
  # channel; it runs as often as the busiest of them.
  found: dict[str, tuple[str, int, float]] = {}
  for name, body in computations.items():
    for number, line in enumerate(body):
      if match := _COLLECTIVE.search(line):
        channel = _CHANNEL.search(line)
        key = channel[1] if channel else f"{name} {number}"
        times = runs(name)
        if key not in found or times > found[key][1]:
          found[key] = (match["kind"], times, _sent_bytes(match, line))

  operations = dict.fromkeys(_SENT, 0)
  sent = dict.fromkeys(_SENT, 0.0)
  for kind, times, size in found.values():
    operations[kind] += times
    sent[kind] += times * size
  return Traffic(operations, sent)


def _calls(
  line: str, computations: dict[str, list[str]]
) -> Iterator[tuple[str, int]]:
  """The computations that an instruction runs, and how often."""
  if loop := _WHILE.search(line):
    # JAX's loops of known length count up to a constant.
    limits = [
      int(rounds)
      for instruction in computations[loop[1]]
      for rounds in _ROUNDS.findall(instruction)
    ]
    yield loop[2], max(limits, default=1)
    return
  for name in _CALL.findall(line):
    yield name, 1
  if branches := _BRANCHES.search(line):
    for name in branches[1].split(","):
      yield name.strip().lstrip("%"), 1


def _sent_bytes(match: re.Match[str], line: str) -> float:
  sizes = [
    math.prod(int(length) for length in shape.split(",") if length)
    * _dtype_bytes(dtype)
    for dtype, shape in _ARRAY.findall(match["result"])
  ]
  # The start of an asynchronous gather returns its operand, too.
  size = max(sizes) if match["start"] else sum(sizes)
  groups = _GROUPS.search(line)
  if groups and groups[1] is not None:
    devices = groups[1].count(",") + 1
  else:
    devices = int(groups[2]) if groups else 2
  return size * _SENT[match["kind"]](devices)


def _dtype_bytes(dtype: str) -> float:
  if dtype in _DTYPE_BYTES:
    return _DTYPE_BYTES[dtype]
  # "f32", "s8", "u16", "f8e4m3fn": the first number is the bits.
  bits = re.search(r"\d+", dtype)
  return int(bits[0]) / 8 if bits else 0
