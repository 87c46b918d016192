"""How good the texts are that a language model writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from teachers import Generation
from trials.graph_writer import write_by_graph
from trials.prompts import Prompt
from trials.reading import Reading
from trials.sequences.chrf import chrf
from trials.sequences.scoring import find_scorer
from trials.sessions import open_session


@dataclass(frozen=True, kw_only=True)
class WritingTest:
    """What members of the front write after.

    Args:
        prompts: Beginnings of test documents, with how these go on.
        max_new_tokens: Of a text.
        score: A scorer that judges beside ``chrf``, by its name in ``trials.sequences``; empty for none.
    """

    prompts: Sequence[Prompt]
    max_new_tokens: int
    score: str = ""


def judge_written(graph: bytes, test: WritingTest, reading: Reading, *, threads: int) -> dict[str, float]:
    """Let a student go on from each prompt, with the likeliest token each time.

    Args:
        graph: That writes.
        test: What it goes on from, and how that is scored.
        reading: Of the student.
        threads: Of ONNX Runtime.

    Returns:
        ``written_chrf``, the mean of chrF against how the documents go on, and ``written_score``, the mean of the
        scorer (of a check, the share that passes), where there is one.
    """
    written = write_by_graph(
        open_session(graph, threads=threads, provider="cpu"),
        [prompt.text for prompt in test.prompts],
        reading.tokenizer,
        length=reading.length,
        max_new_tokens=test.max_new_tokens,
    )
    texts = [
        Generation(text=reading.tokenizer.decode(made.ids), log_probability=min(0.0, made.log_probability))
        for made in written
    ]
    pairs = list(zip(test.prompts, texts, strict=True))
    found = {"written_chrf": sum(chrf(text.text, prompt.reference) for prompt, text in pairs) / len(pairs)}
    if test.score:
        score = find_scorer(test.score)
        scores = [float(score(prompt.text, text, prompt.reference)) for prompt, text in pairs]
        found["written_score"] = sum(scores) / len(scores)
    return found
