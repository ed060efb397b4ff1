"""Joining the processes of one run, one per host."""

import os

import jax
import ml_collections


def start(config: ml_collections.ConfigDict) -> None:
  """Joins this process to the others, where there are any.

  Cloud TPU slices, Slurm, Open MPI and Kubernetes are recognised by JAX.
  Anywhere else, JAX_COORDINATOR_ADDRESS (host:port of process 0),
  JAX_NUM_PROCESSES and JAX_PROCESS_ID say who is who.

  To be called once, before anything is computed.

  Args:
    config: whose `distributed` is "auto", "on" or "off".
  """
  if config.distributed == "off" or jax.distributed.is_initialized():
    return
  if "JAX_COORDINATOR_ADDRESS" in os.environ:
    jax.distributed.initialize(
      os.environ["JAX_COORDINATOR_ADDRESS"],
      int(os.environ["JAX_NUM_PROCESSES"]),
      int(os.environ["JAX_PROCESS_ID"]),
    )
    return
  try:
    jax.distributed.initialize()
  except ValueError:
    # JAX recognises no cluster: this process is the whole run.
    if config.distributed == "on":
      raise
