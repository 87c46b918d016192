"""Whether what a teacher wrote is Python."""

import numpy as np
import pytest

from teachers import Generation
from tests.trials.language import documents, tokenizer
from trials.annotating import UNKNOWN, python_syntax
from trials.packing import pack_documents
from trials.sequences import Completion, find_scorer, with_completions
from trials.tokenization import END

PROMPT = "class C:\n    def f(self):\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("        return 1\n", True),
        ("        return 1\n    def g(", True),
        ("        return (1,\n", True),
        ("        return 1 1\n", False),
        ("    return 1\n", False),
        ("        return 1", True),
        ("        return 1 1", False),
        ("\n", False),
    ],
)
def test_a_text_is_python_as_far_as_its_last_whole_line(text, expected):
    assert find_scorer("parses")(PROMPT, Generation(text=text, log_probability=-1.0), "") is expected


def test_rows_of_texts_have_no_facts():
    dataset = pack_documents(documents(), tokenizer(), length=7, annotate=python_syntax)
    made = Completion(document=0, teacher=0, prompt="The cat", text=" sees.", score=1.0, ended=True)
    longer = with_completions(dataset, [made], documents=documents(), tokenizer=tokenizer(), end=END, share=None)
    added = np.setdiff1d(longer.splits["train"], dataset.splits["train"])
    assert len(added)
    for name, values in longer.facts.items():
        assert (values[added] == UNKNOWN).all()
        assert np.array_equal(values[: len(dataset)], dataset.facts[name])
