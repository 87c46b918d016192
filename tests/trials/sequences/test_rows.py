import numpy as np
import pytest

from tests.trials.language import TEXTS, documents, packed, tokenizer
from trials.sequences import Completion, with_completions
from trials.tokenization import END

COMPLETIONS = [
    Completion(document=row, teacher=0, prompt=TEXTS[row][:8], text=f" runs {row}", score=0.0, ended=row != 2)
    for row in (0, 1, 2)
]
"""The last one was cut off."""


def extended(share: float | None):
    dataset, _ = packed()
    return dataset, with_completions(
        dataset, COMPLETIONS, documents=documents(), tokenizer=tokenizer(), end=END, share=share
    )


def test_what_was_written_is_learnt_and_prompts_are_not() -> None:
    dataset, more = extended(None)
    added = np.arange(len(dataset), len(more))
    assert set(added) < set(more.splits["train"])
    labels = more.labels[added]
    cut = tokenizer()
    for kind, rows in (("even", (0, 2)), ("odd", (1,))):
        own = labels[more.columns["kind"][added] == kind].reshape(-1)
        assert cut.decode(own[own != -100]) == "".join(f" runs {row}" for row in rows)
        assert (own == END).sum() == 1  # Of the one in each that ended.


def test_rows_that_were_there_stay() -> None:
    dataset, more = extended(None)
    assert np.array_equal(more.inputs[: len(dataset)], dataset.inputs)
    assert np.array_equal(more.splits["validation"], dataset.splits["validation"])


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_share_of_the_training_rows(share: float) -> None:
    dataset, more = extended(share)
    added = len(more) - len(dataset)
    assert added / len(more.splits["train"]) == pytest.approx(share, abs=0.05)


def test_nothing_else_is_learnt_where_the_share_is_all() -> None:
    dataset, more = extended(1.0)
    assert more.splits["train"].min() == len(dataset)
