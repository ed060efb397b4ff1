"""Joining the processes of one run, one per host."""

import importlib.util
import os

import jax
import ml_collections

from speedflow import errors

_VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def start(config: ml_collections.ConfigDict) -> None:
  """Joins this process to the others, where there are any.

  "auto" recognises the machines of a Cloud TPU slice, and the several tasks
  of Slurm or Open MPI. Anywhere else, JAX_COORDINATOR_ADDRESS (host:port of
  process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID say who is who.

  To be called before anything is computed.

  Args:
    config: whose `distributed` is "auto", "on" or "off".

  Raises:
    SpeedflowError: only some of the three variables are set.
  """
  if config.distributed == "off" or jax.distributed.is_initialized():
    return
  if any(name in os.environ for name in _VARIABLES):
    missing = [name for name in _VARIABLES if name not in os.environ]
    if missing:
      raise errors.SpeedflowError(
        f"{', '.join(missing)} not set; a run of several processes needs "
        f"{', '.join(_VARIABLES)}"
      )
    address, count, index = (os.environ[name] for name in _VARIABLES)
    jax.distributed.initialize(address, int(count), int(index))
  elif config.distributed == "on" or _in_cluster():
    jax.distributed.initialize()


def _in_cluster() -> bool:
  tasks = ("SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")
  if any(int(os.environ.get(name, 1)) > 1 for name in tasks):
    return True
  # TPU hosts find each other through a metadata server, which JAX asks.
  on_cpu = os.environ.get("JAX_PLATFORMS") == "cpu"
  return not on_cpu and importlib.util.find_spec("libtpu") is not None
