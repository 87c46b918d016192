"""What a teacher takes of the memory of every process that runs it."""

import pickle

from teachers.teacher import Teacher


class _Counter:
    """A file that counts what is written to it, and keeps nothing."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def write(self, piece: bytes | memoryview) -> int:
        written = memoryview(piece).nbytes
        self.num_bytes += written
        return written


def travelling_bytes(teacher: Teacher) -> int | None:
    """Count the bytes of a teacher as it is sent to another process; None where only Ray knows how to pack it."""
    counter = _Counter()
    try:
        pickle.dump(teacher, counter)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return counter.num_bytes


def held_bytes(teacher: Teacher) -> int | None:
    """Say what a process holds that runs a teacher, without what an answer takes while it is computed.

    A model says with ``copies_held`` how often its bytes are held, where what runs is made from a file that stays.

    Returns:
        Bytes; None where only Ray knows how to pack the teacher, and it is no module whose parameters can be counted.
    """
    copies = int(getattr(teacher.model, "copies_held", 1))
    if (travelling := travelling_bytes(teacher)) is not None:
        return copies * travelling
    module = getattr(teacher.model, "module", None)
    if module is None:
        return None
    tensors = [*module.parameters(), *module.buffers()]
    num_bytes: int = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return copies * num_bytes
