"""Rungs: the epochs at which trials are compared, and what each trial showed there."""

from dataclasses import dataclass

from trials.records import Candidate


@dataclass(frozen=True, kw_only=True)
class RungRecord:
    """What a trial showed at a rung, and what was decided.

    Args:
        rung: The rung's name: its epoch in the longest recipe of the search.
        epoch: Epoch of the trial's own recipe at which it was judged.
        candidate: The student in the primary precision: its costs, and the task's metrics of the module as it was then.
        goes_on: Whether it was trained on.
    """

    rung: int
    epoch: int
    candidate: Candidate
    goes_on: bool


@dataclass(frozen=True, kw_only=True)
class Rungs:
    """Where the rungs of a search stand.

    Recipes may differ in their epochs. A rung then stands at the same share of each: there each has come as far in its
    own schedule of the learning rate, which decides more of how good a student is than the count of epochs does.

    Args:
        epochs: Of the longest recipe, rising.
        longest: Epochs of the longest recipe.
        reduction: At each rung one in so many goes on.
    """

    epochs: tuple[int, ...]
    longest: int
    reduction: int

    def __post_init__(self) -> None:
        """Reject rungs at which nothing could be saved.

        Raises:
            ValueError: The message says which, and what to write.
        """
        if any(first >= second for first, second in zip(self.epochs, self.epochs[1:], strict=False)):
            raise ValueError(f"rungs must rise, got {', '.join(map(str, self.epochs))}")
        if not self.epochs or self.epochs[0] < 1 or self.epochs[-1] >= self.longest:
            stands = f"the last stands at {self.epochs[-1]}" if self.epochs else "there is none"
            raise ValueError(
                f"rungs must stand before the last epoch, which is {self.longest} in the longest recipe; {stands}: "
                "give earlier ones, or remove halving"
            )

    @classmethod
    def rising(cls, *, first: int, longest: int, reduction: int) -> "Rungs":
        """Let each rung have ``reduction`` times the epochs of the one before, up to the middle of the longest recipe.

        Later on most of the price is paid, so that to stop a trial saves little of it and throws a student away.

        Raises:
            ValueError: Not even the first stands before its end.
        """
        epochs = [first]
        while 2 * epochs[-1] * reduction <= longest:
            epochs.append(epochs[-1] * reduction)
        return cls(epochs=tuple(epochs), longest=longest, reduction=reduction)

    def of(self, num_epochs: int) -> tuple[tuple[int, int], ...]:
        """Place the rungs in a recipe.

        Args:
            num_epochs: Of the recipe.

        Returns:
            Each rung's name and epoch. Rungs that fall together in a short recipe, or on its end, are left out.
        """
        placed: list[tuple[int, int]] = []
        for rung in self.epochs:
            epoch = -(-num_epochs * rung // self.longest)  # Rounded up.
            if (placed[-1][1] if placed else 0) < epoch < num_epochs:
                placed.append((rung, epoch))
        return tuple(placed)

    @property
    def share(self) -> float:
        """Share of the longest recipe's epochs that a trial is trained for on average, once many have passed."""
        ends = (*self.epochs, self.longest)
        lengths = [end - begin for begin, end in zip((0, *self.epochs), ends, strict=True)]
        return sum(length / float(self.reduction) ** passed for passed, length in enumerate(lengths)) / self.longest
