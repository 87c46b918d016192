"""Shape letters: B = texts, T = tokens, V = vocabulary."""

import numpy as np
import pytest
import torch

from teachers import Generator
from tests.trials.decoders import small_decoder
from tests.trials.language import tokenizer
from trials.generation import write
from trials.sampling import Sampling
from trials.writers import Writer, decoder_text, plain_text, writer_of

NUM_TOKENS, END = 40, 1
PROMPTS = [[2, 3, 4], [5, 6], [7, 8, 9], [2, 3, 4]]
STUDENT, _ = small_decoder(NUM_TOKENS)


def written(**settings: object):
    asked = {"samples": 3, "sampling": Sampling(temperature=1.0), "max_new_tokens": 6, "end": END, "seed": 0}
    return write(decoder_text(STUDENT.body), PROMPTS, **asked | settings)


def test_kept_keys_and_values_change_nothing() -> None:
    again = write(
        plain_text(STUDENT),
        PROMPTS,
        samples=3,
        sampling=Sampling(temperature=1.0),
        max_new_tokens=6,
        end=END,
        seed=0,
    )
    for one, other in zip(written(), again, strict=True):
        assert [text.ids for text in one] == [text.ids for text in other]
        assert [t.log_probability for t in one] == pytest.approx([t.log_probability for t in other], abs=1e-4)


def test_a_text_depends_on_its_prompt_and_not_on_others() -> None:
    alone = write(
        decoder_text(STUDENT.body),
        [PROMPTS[1]],
        samples=3,
        sampling=Sampling(temperature=1.0),
        max_new_tokens=6,
        end=END,
        seed=0,
    )
    assert [text.ids for text in alone[0]] == [text.ids for text in written()[1]]
    assert [text.ids for text in written()[0]] == [text.ids for text in written()[3]]


def test_samples_and_seeds_differ() -> None:
    assert len({text.ids for text in written(samples=8)[0]}) > 1
    assert written(seed=1) != written()


def test_log_probability_is_that_of_the_model() -> None:
    for text in written()[0]:
        ids = [*PROMPTS[0], *text.ids, *([END] if text.ended else [])]
        with torch.no_grad():
            log_p_TV = STUDENT(torch.tensor([ids]))[0].log_softmax(dim=1)
        new = range(len(PROMPTS[0]), len(ids))
        expected = sum(float(log_p_TV[t - 1, ids[t]]) for t in new)
        assert text.log_probability == pytest.approx(expected, abs=1e-4)


def test_a_text_ends_at_its_end() -> None:
    counts = iter(range(100))

    def open_text():
        def go_on(ids_BT):
            step = next(counts)
            logits = np.zeros((len(ids_BT), NUM_TOKENS))
            logits[:, END if step == 2 else 3] = 50
            return logits

        return go_on

    ((text,),) = write(
        open_text, [[2]], samples=1, sampling=Sampling(temperature=0.0), max_new_tokens=9, end=END, seed=0
    )
    assert (text.ids, text.ended) == ((3, 3), True)


def test_without_temperature_all_samples_are_one() -> None:
    assert len(set(written(sampling=Sampling(temperature=0.0))[0])) == 1


def test_models_write_texts() -> None:
    cut = tokenizer()
    student, _ = small_decoder(cut.vocabulary_size)
    writer = Writer(decoder_text(student.body), cut, length=16)
    assert isinstance(writer, Generator)
    texts = writer.generate(
        ["The cat", "The dog sees a long sentence"], samples=2, temperature=1.0, max_new_tokens=4, seed=0
    )
    assert [len(of_prompt) for of_prompt in texts] == [2, 2]
    assert all(text.log_probability is not None and text.log_probability <= 0 for of in texts for text in of)
    with pytest.raises(ValueError, match="max_new_tokens must be below the 16 tokens that the model reads, got 16"):
        writer.generate(["The"], samples=1, temperature=1.0, max_new_tokens=16, seed=0)


def test_who_writes_by_itself_does() -> None:
    writer = Writer(decoder_text(STUDENT.body), tokenizer(), length=16)
    assert writer_of(writer, tokenizer(), length=16) is writer  # type: ignore[arg-type] # it answers nothing else
