"""The controller's network: a recurrent net that walks through the choices.

Shape letters: B = points, L = decisions of a point, C = choices, O = options of all choices, D = objectives,
H = hidden units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from automl.samplers.reinforce.decisions import Decisions
from search_spaces import Point

_INITIAL = 0.08
"""Parameters begin evenly within this of 0 (Zoph and Le, 2016, section 4.1), so that all is about as likely."""
_NEVER = -1e9
"""Logit of the options of other choices."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walks:
    """Points as they were decided.

    Args:
        weight_BD: Of the objectives, under which each was proposed.
        choice_BL: Places of the choices; any where a point has no more.
        option_BL: Numbers of the options.
        mask_BL: 1 where there is a decision, else 0.
    """

    weight_BD: Tensor
    choice_BL: Tensor
    option_BL: Tensor
    mask_BL: Tensor


class Policy(nn.Module):
    """A long short-term memory whose output at each step is the distribution over the options of one choice.

    At each step it is shown the decision before (Zoph and Le, 2016, section 3.1, figure 2). Since conditional choices
    are skipped, the number of a step does not tell what is asked; so it is shown the choice, too, and the weights of
    the objectives.

    Args:
        decisions: Of the space.
        num_objectives: How many weights there are.
        hidden_size: Units of the memory, and of what it is shown.
    """

    def __init__(self, decisions: Decisions, *, num_objectives: int, hidden_size: int) -> None:
        super().__init__()
        self._decisions = decisions
        self._start = decisions.count
        with torch.device("meta"):  # Else the layers would draw from the generator that is everybody's.
            self.before = nn.Embedding(decisions.count + 1, hidden_size)
            self.asked = nn.Embedding(len(decisions.choices), hidden_size)
            self.wanted = nn.Linear(num_objectives, hidden_size)
            self.memory = nn.LSTM(hidden_size, hidden_size, batch_first=True)
            self.head = nn.Linear(hidden_size, decisions.count)
        self.to_empty(device="cpu")
        self.register_buffer("other_CO", torch.as_tensor(~decisions.mine_CO))
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-_INITIAL, _INITIAL, generator=generator)

    def forward(self, walks: Walks) -> tuple[Tensor, Tensor]:
        """Judge decisions.

        Returns:
            ``likelihood_B``, the logarithm of the probability of each point, and ``entropy_B``, summed over its
            decisions.
        """
        start_B1 = torch.full_like(walks.option_BL[:, :1], self._start)
        before_BL = torch.cat([start_B1, walks.option_BL[:, :-1]], dim=1)
        log_BLO, _ = self._step(before_BL, walks.choice_BL, walks.weight_BD, None)
        chosen_BL = log_BLO.gather(2, walks.option_BL[..., None])[..., 0]
        entropy_BL = -(log_BLO.exp() * log_BLO).sum(dim=2)
        return (chosen_BL * walks.mask_BL).sum(dim=1), (entropy_BL * walks.mask_BL).sum(dim=1)

    def _step(
        self, before_BL: Tensor, choice_BL: Tensor, weight_BD: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        # Around 0, so that what they change in the net is what differs between them.
        wanted_BD = weight_BD * weight_BD.shape[1] - 1
        shown_BLH = self.before(before_BL) + self.asked(choice_BL) + self.wanted(wanted_BD)[:, None]
        hidden_BLH, state = self.memory(shown_BLH, state)
        logit_BLO = self.head(hidden_BLH).masked_fill(self.get_buffer("other_CO")[choice_BL], _NEVER)
        return torch.log_softmax(logit_BLO, dim=2), state

    @torch.no_grad()
    def draw(
        self, weight_D: NDArray[np.float64], rng: np.random.Generator, *, count: int, temperature: float = 1.0
    ) -> list[Point]:
        """Draw points, all for the same weights.

        Args:
            weight_D: Add up to 1.
            rng: Source of chance.
            count: Points.
            temperature: Above 0; higher is more even.
        """
        points: list[Point] = [{} for _ in range(count)]
        before_B = torch.full((count,), self._start)
        weight_BD = torch.as_tensor(weight_D, dtype=torch.float32).expand(count, -1)
        state_1BH = torch.zeros(1, count, self.memory.hidden_size)
        cell_1BH = torch.zeros_like(state_1BH)
        for place, options in enumerate(self._decisions.options.values()):
            choice = options.choice
            rows = [row for row, point in enumerate(points) if choice.when is None or choice.when(point)]
            if options.count == 1:
                for row in rows:
                    points[row][choice.name] = options.value_of(0, rng)
                continue
            if not rows:
                continue
            log_BLO, (state_1BH[:, rows], cell_1BH[:, rows]) = self._step(
                before_B[rows, None],
                torch.full((len(rows), 1), place),
                weight_BD[rows],
                (state_1BH[:, rows], cell_1BH[:, rows]),
            )
            first = int(self._decisions.first_C[place])
            share_BO = torch.softmax(log_BLO[:, 0, first : first + options.count].double() / temperature, dim=1)
            below_BO = share_BO.cumsum(dim=1).numpy()
            for row, below_O in zip(rows, below_BO, strict=True):
                option = min(int(np.searchsorted(below_O, rng.uniform(), side="right")), options.count - 1)
                before_B[row] = first + option
                points[row][choice.name] = options.value_of(option, rng)
        return points


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: nets as small as these are no faster with more, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
