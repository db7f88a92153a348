"""Several processes that share one run, by PyTorch's own distributed engine.

``torchrun`` starts the same command several times, on one machine or on many, and tells each
process its rank. Batches of faces are dealt to the ranks in turn. After each turn every rank has
the landmarks of all ranks, and the first rank writes them. Only landmarks are exchanged, a few
kilobytes a face, so the transport is gloo on CPUs and GPUs alike: for NCCL they would have to be
copied to the GPU and back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError

T = TypeVar("T")


class Ranks:
    """A process that runs alone: it gets back the values that it shares."""

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def gather(self, values: Floats) -> list[Floats]:
        """The arrays of all ranks, in the order of the ranks; all must have the same shape."""
        return [values]

    def share(self, values: Floats) -> Floats:
        """The first rank's array, on every rank; all ranks must pass arrays of the same shape."""
        return values


ALONE = Ranks()


class _TorchRanks(Ranks):
    """The processes of PyTorch's process group, which exchange arrays over gloo."""

    def __init__(self) -> None:
        import torch.distributed as dist

        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._group = None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")

    def gather(self, values: Floats) -> list[Floats]:
        import torch
        import torch.distributed as dist

        tensor = torch.from_numpy(np.ascontiguousarray(values))
        everyone = [torch.empty_like(tensor) for _ in range(self.size)]
        with _report_lost():
            dist.all_gather(everyone, tensor, group=self._group)
        return [one.numpy() for one in everyone]

    def share(self, values: Floats) -> Floats:
        import torch
        import torch.distributed as dist

        tensor = torch.from_numpy(np.array(values))
        with _report_lost():
            dist.broadcast(tensor, src=0, group=self._group)
        return tensor.numpy()


def lost_process() -> InputError:
    """The error for another process that is gone."""
    return InputError(
        "torch.distributed",
        "another process stopped",
        remedy="Its own message says why, or torchrun's report if it was killed. The same command "
        "goes on where it stopped.",
    )


@contextmanager
def _report_lost() -> Iterator[None]:
    """Turn the error that gloo raises when another process is gone into one message."""
    try:
        yield
    except RuntimeError as error:
        raise lost_process() from error


def rank() -> int:
    """Rank of this process under ``torchrun``; 0 without it."""
    return _number("RANK", 0) if processes() > 1 else 0


def processes() -> int:
    """Number of processes that ``torchrun`` started; 1 without it."""
    return _number("WORLD_SIZE", 1)


def gather_objects(value: T) -> list[T]:
    """The values of all processes of PyTorch's process group, by rank; without one, this value.

    The value may be anything that can be pickled. Every process of the group must call this.
    """
    dist = sys.modules.get("torch.distributed")  # a process with a group has imported it
    if dist is None or not dist.is_available() or not dist.is_initialized():
        return [value]
    everyone: list[T] = [value] * dist.get_world_size()
    with _report_lost():
        dist.all_gather_object(everyone, value)
    return everyone


def current_ranks() -> Ranks:
    """The processes of a process group that is initialised already, or this process alone."""
    if processes() == 1:
        return ALONE
    import torch.distributed as dist

    return _TorchRanks() if dist.is_initialized() else ALONE


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """The processes that ``torchrun`` started, or this one alone.

    Raises
    ------
    InputError
        If they cannot reach each other.
    """
    if processes() == 1:
        yield ALONE
        return
    import torch.distributed as dist

    try:
        dist.init_process_group("gloo")
    except (RuntimeError, ValueError) as error:
        found, remedy = f"the processes cannot join ({error})", "Start them by torchrun."
        raise InputError("torch.distributed", found, remedy=remedy) from error
    try:
        yield _TorchRanks()
    finally:
        dist.destroy_process_group()


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else default
