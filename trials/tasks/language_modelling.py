"""Language modelling: the next token at each position of a row.

Shape letters: B = batch, T = positions, V = vocabulary, M = tokens that have a label.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from search_spaces import ModelSignature, TensorSpec
from teachers import MISSING_LABEL, Batch, Outputs
from trials.data import Dataset
from trials.syntax import NEXT_ROLE, ROLES
from trials.tasks.task import Metric, Predictor
from trials.token_bytes import token_bytes
from trials.tokenization import Tokenizer

BITS_OF_A_BYTE = 8.0
"""What a byte costs without a model: chance of ``bits_per_byte``, since log2(256) is 8."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageModelling:
    """Which token comes next.

    Args:
        bytes_V: Bytes of text that each token stands for.
        columns: Of the rows, each (N,), by whose values models are judged apart.
    """

    bytes_V: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    @classmethod
    def of(cls, tokenizer: Tokenizer, dataset: Dataset) -> "LanguageModelling":
        """Make the task of a packed data set.

        Raises:
            ValueError: The tokenizer does not tell which bytes its tokens are.
        """
        return cls(bytes_V=token_bytes(tokenizer), columns=dataset.columns)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Bits a byte first: the only one that models of different tokenizers can be compared by.

        ``chance`` of it is ``BITS_OF_A_BYTE``. That of the others is of even guessing among all tokens.
        """
        return metrics_of_language(len(self.bytes_V))

    def signature(self, dataset: Dataset) -> ModelSignature:
        """Take rows of token ids of any length as ``input_ids``, give ``logits`` (T, V)."""
        assert dataset.of_tokens, "documents are packed before a language model is made for them"
        return ModelSignature(
            inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
            outputs=(TensorSpec(name="logits", shape=(None, len(self.bytes_V))),),
            vocabulary_size=len(self.bytes_V),
        )

    def hard_label_loss(self, student: Outputs, labels: Tensor) -> Tensor:
        """Cross entropy of each token, in nats."""
        return functional.cross_entropy(
            student.logits.flatten(0, -2), labels.flatten(), ignore_index=MISSING_LABEL, reduction="none"
        ).reshape(labels.shape)

    def evaluate(self, predict: Predictor, batches: Iterable[Batch]) -> dict[str, float]:
        """Add up what the tokens cost; the logits of one batch lie in memory at a time.

        If the model gives NaN anywhere, all metrics are NaN.

        Returns:
            The metrics, then ``bits_per_byte.COLUMN=VALUE`` for each value of a column that occurs, and
            ``bits_per_byte.role=ROLE`` for each syntax role, where roles of the tokens are known.

        Raises:
            ValueError: No token has a label, or the model's output is not (B, T, V).
        """
        tallies: dict[str, NDArray[np.float64]] = {}
        for batch in batches:
            label_BT = batch.labels.numpy()
            logits_BTV = predict(batch.inputs)
            expected = (*label_BT.shape, len(self.bytes_V))
            if logits_BTV.shape != expected:
                raise ValueError(f"expected logits of shape {expected}, the model gives {logits_BTV.shape}")
            tally_BT4 = tally_tokens(logits_BTV, label_BT, self.bytes_V)
            parts = [*self._parts(batch.index.numpy()), *_roles(batch)]
            for name, chosen in parts:
                tallies[name] = tallies.get(name, np.zeros(4)) + tally_BT4[chosen].reshape(-1, 4).sum(axis=0)
        if "" not in tallies or not tallies[""][0]:
            raise ValueError("no token has a label, so nothing can be judged; expected at least one")
        return scores_of(tallies)

    def _parts(self, index_B: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Give all rows, and those of each value of a column, by ``COLUMN=VALUE``."""
        yield "", np.ones(len(index_B), dtype=bool)
        for column, values in self.columns.items():
            of_batch = values[index_B]
            for value in np.unique(of_batch):
                yield f"{column}={value}", of_batch == value


def metrics_of_language(num_tokens: int) -> tuple[Metric, ...]:
    """Give the metrics of models of a vocabulary of so many tokens."""
    chance = 1 / num_tokens
    return (
        Metric(name="bits_per_byte", higher_is_better=False, chance=BITS_OF_A_BYTE, best=0.0),
        Metric(name="cross_entropy", higher_is_better=False, chance=math.log(num_tokens), best=0.0),
        Metric(name="perplexity", higher_is_better=False, chance=float(num_tokens), best=1.0),
        Metric(name="accuracy", higher_is_better=True, chance=chance, best=1.0, worst=0.0),
    )


def tally_rows(
    logits_BTV: NDArray[np.floating], label_BT: NDArray[np.int64], bytes_V: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Count, of the tokens of each row that have a label: tokens, nats, right answers, bytes (B, 4)."""
    tally_B4: NDArray[np.float64] = tally_tokens(logits_BTV, label_BT, bytes_V).sum(axis=1)
    return tally_B4


def tally_tokens(
    logits_BTV: NDArray[np.floating], label_BT: NDArray[np.int64], bytes_V: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Count what ``tally_rows`` does for each token (B, T, 4); nothing where it has no label."""
    tally_BT4 = np.zeros((*label_BT.shape, 4))
    for row, (logits_TV, label_T) in enumerate(zip(logits_BTV, label_BT, strict=True)):
        known_T = label_T != MISSING_LABEL
        label_M, logits_MV = label_T[known_T], logits_TV[known_T].astype(np.float64)
        if not len(label_M):
            continue
        with np.errstate(invalid="ignore", over="ignore"):  # infinity minus infinity: the NaN is wanted
            highest_M = logits_MV.max(axis=1)
            nats_M = np.log(np.exp(logits_MV - highest_M[:, None]).sum(axis=1)) + highest_M
            nats_M -= logits_MV[np.arange(len(label_M)), label_M]
        right_M = logits_MV.argmax(axis=1) == label_M
        tally_BT4[row, known_T] = np.stack([np.ones(len(label_M)), nats_M, right_M, bytes_V[label_M]], axis=1)
    return tally_BT4


def _roles(batch: Batch) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give the tokens (B, T) of each syntax role that occurs, by ``role=ROLE``; none where roles are not known."""
    if NEXT_ROLE not in batch.facts:
        return
    role_BT = batch.facts[NEXT_ROLE].numpy()
    for number, role in enumerate(ROLES):
        if (role_BT == number).any():
            yield f"role={role}", role_BT == number


def scores_of(tallies: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Turn tallies, that of all rows under an empty name, into metrics and details.

    A token that ends a document stands for no byte, and costs its bits all the same.
    """
    num_tokens, nats, right, _ = tallies[""]
    cross_entropy = float(nats / num_tokens)
    scores = {
        "bits_per_byte": bits_per_byte(tallies[""]),
        "cross_entropy": cross_entropy,
        "perplexity": math.exp(min(cross_entropy, 700.0)),  # More is no float.
        "accuracy": float(right / num_tokens),
    }
    scores |= {f"bits_per_byte.{name}": bits_per_byte(tally) for name, tally in tallies.items() if name}
    return dict.fromkeys(scores, math.nan) if math.isnan(cross_entropy) else scores


def bits_per_byte(tally: NDArray[np.float64]) -> float:
    """Give bits a byte of a tally (4,); NaN where there is no byte."""
    _, nats, _, num_bytes = tally
    return float(nats / math.log(2) / num_bytes) if num_bytes else math.nan
