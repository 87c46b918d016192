"""Facts of characters, carried to tokens and into rows, by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Coverage, LiveOutputs, Taps, Teacher, TeacherEnsemble
from tests.trials.decoders import small_decoder
from tests.trials.language import SmallModel, SmallTeacher
from trials.annotating import UNKNOWN, annotated_tokens, find_annotator, python_syntax
from trials.data import SPLITS, Dataset
from trials.distill import distill
from trials.distillation_loss import DistillationLoss
from trials.example import see
from trials.lesson import Lesson
from trials.losses.structure_attention import divergence_within, shared_parent
from trials.packing import pack_documents
from trials.recipe import LossTerm, Recipe
from trials.spoken_tokens import Tokens
from trials.steps import make_steps
from trials.student import Student
from trials.syntax import ROLES
from trials.tasks import LanguageModelling
from trials.token_losses import token_means
from trials.tokenization import END, PADDING, train_tokenizer

TEXTS = ["x = f(a)\n", "# é\ny\n", "def f():\n    return 1\n"]
BYTES = train_tokenizer([], vocabulary_size=258)
KEYWORD, OPERATOR, BRACKET, INDENT, NAME, _, COMMENT = range(len(ROLES))


def documents(texts=TEXTS):
    return Dataset(
        inputs=[*texts, "a\n", "b\n"],
        labels=np.zeros(len(texts) + 2, dtype=np.int64),
        class_names=("text",),
        splits=dict(
            zip(SPLITS, (np.arange(len(texts)), np.array([len(texts)]), np.array([len(texts) + 1])), strict=True)
        ),
    )


def test_each_token_has_the_facts_of_its_characters_and_bytes_of_one_character_the_same():
    ids, facts = annotated_tokens(["# é\ny\n"], BYTES, python_syntax)
    assert len(ids[0]) == 7
    assert facts[0]["role"].tolist() == [COMMENT, COMMENT, COMMENT, COMMENT, INDENT, NAME, INDENT]


def test_parents_differ_between_documents():
    facts = python_syntax(["f(a)\n", "f(a)\n", "x = (", "f(a)"])
    numbers = [set(each["parent"].tolist()) - {UNKNOWN} for each in facts]
    assert [len(each) for each in numbers] == [1, 1, 0, 1]
    assert len(set.union(*numbers)) == 3


def test_rows_carry_facts_of_inputs_and_of_labels():
    dataset = pack_documents(documents(), BYTES, length=8, annotate=python_syntax)
    assert set(dataset.facts) == {"role", "parent", "next.role", "next.parent"}
    rows = dataset.splits["train"]
    roles, following = (dataset.facts[name][rows].reshape(-1) for name in ("role", "next.role"))
    document = [NAME, OPERATOR, OPERATOR, NAME, NAME, BRACKET, NAME, BRACKET, INDENT]
    first = [UNKNOWN, *document, UNKNOWN, COMMENT, COMMENT, COMMENT, COMMENT, INDENT, NAME, INDENT, UNKNOWN]
    assert roles[: len(first)].tolist() == first
    assert following[: len(first) - 1].tolist() == first[1:]
    inputs, labels = dataset.inputs[rows].reshape(-1), dataset.labels[rows].reshape(-1)
    assert (roles[np.isin(inputs, [PADDING, END])] == UNKNOWN).all()
    assert (following[np.isin(labels, [MISSING_LABEL, END])] == UNKNOWN).all()


def test_rows_are_the_same_as_without_facts():
    plain, annotated = (pack_documents(documents(), BYTES, length=8, annotate=how) for how in (None, python_syntax))
    assert plain.facts == {}
    assert np.array_equal(plain.inputs, annotated.inputs)
    assert np.array_equal(plain.labels, annotated.labels)


def test_a_batch_and_its_chunks_carry_facts():
    dataset = pack_documents(documents(), BYTES, length=8, annotate=python_syntax)
    batch = dataset.batch(np.array([2, 0]))
    assert torch.equal(batch.facts["next.role"], torch.from_numpy(dataset.facts["next.role"][[2, 0]]))
    tokens = Tokens.of(batch)
    whole = torch.cat([part.batch().facts["next.role"] for part in tokens.cut(3)])
    assert whole.tolist() == batch.facts["next.role"][batch.labels != MISSING_LABEL].tolist()


def test_an_annotator_that_leaves_characters_out_is_told():
    with pytest.raises(ValueError, match="must give the same facts of each character of each text, got 1 of 'a' for 9"):
        annotated_tokens(TEXTS, BYTES, lambda texts: [{"a": np.zeros(1, dtype=np.int64)} for _ in texts])
    with pytest.raises(ValueError, match="must give facts of each text, got 0 for 3"):
        annotated_tokens(TEXTS, BYTES, lambda _: [])


def test_annotators_are_found_by_name():
    assert find_annotator("python_syntax") is python_syntax
    assert find_annotator("trials.annotating:python_syntax") is python_syntax
    with pytest.raises(ValueError, match="unknown annotator 'python'; annotators are python_syntax, or package"):
        find_annotator("python")


def lesson(*terms, annotate=python_syntax):
    dataset = pack_documents(documents(), BYTES, length=8, annotate=annotate)
    coverage = {"a": Coverage(), "b": Coverage()}
    loaded = [
        Teacher(name=name, model=SmallTeacher(258, seed), coverage=coverage[name], digest=name)
        for seed, name in enumerate("ab")
    ]
    return Lesson(
        dataset=dataset,
        task=LanguageModelling.of(BYTES, dataset),
        recipe=Recipe(losses=terms, epochs=1, batch_size=2, learning_rate=1e-2),
        seed=0,
        ensemble=TeacherEnsemble(coverage, num_classes=258, num_rows=len(dataset), columns={}),
        teachers=LiveOutputs(loaded, num_classes=258),
    )


def means(taught, *, chunk=None):
    torch.manual_seed(0)
    student = Student(SmallModel(258), signature=taught.task.signature(taught.dataset), statistics=None)
    batch = taught.dataset.batch(taught.dataset.splits["train"])
    steps = make_steps(student, taught, batch)
    heard = steps.hear(batch, (), torch.device("cpu"))
    return (
        token_means(DistillationLoss(taught), steps.speak(batch.inputs), heard, batch, chunk=chunk),
        steps,
        heard,
        batch,
    )


@pytest.mark.parametrize("chunk", [None, 3])
def test_the_mean_of_a_syntax_aware_term_is_weighted_by_the_role_of_the_label(chunk):
    found, steps, heard, batch = means(
        lesson(LossTerm(name="syntax_forward_kl", weight=1.0, options={"keyword": 7.0, "comment": 0.0})), chunk=chunk
    )
    logits_BTV = steps.example(batch.inputs).logits.detach()
    value, weight = 0.0, 0.0
    for b, t in (batch.labels != MISSING_LABEL).nonzero().tolist():
        role = int(batch.facts["next.role"][b, t])
        w = {KEYWORD: 7.0, COMMENT: 0.0, OPERATOR: 2.0, BRACKET: 2.0, INDENT: 2.0}.get(role, 1.0)
        q = logits_BTV[b, t].log_softmax(-1)
        for teacher in heard.logits:
            p = teacher[b, t].log_softmax(-1)
            value += w * float((p.exp() * (p - q)).sum()) / 2
        weight += w
    assert float(found["syntax_forward_kl"].detach()) == pytest.approx(value / weight, rel=1e-5)


def test_equal_weights_give_the_plain_mean():
    ones = dict.fromkeys(ROLES, 1.0)
    aware = means(lesson(LossTerm(name="syntax_forward_kl", weight=1.0, options=ones)))[0]["syntax_forward_kl"]
    torch.testing.assert_close(aware, means(lesson(LossTerm(name="forward_kl", weight=1.0)))[0]["forward_kl"])


def test_data_without_the_facts_that_a_loss_needs_are_told():
    with pytest.raises(ValueError, match=r"'syntax_forward_kl' needs next\.role of each token, and the data set"):
        lesson(LossTerm(name="syntax_forward_kl", weight=1.0), annotate=None)


class AttentiveTeacher:
    """A decoder that shows its attention; fulfils ``TeacherModel``."""

    def __init__(self, seed):
        self.decoder = small_decoder(258, seed)[0]

    def __call__(self, inputs, features=()):
        return Taps(self.decoder, tuple(features), example=(inputs,))(inputs)


def attentive(*terms):
    """A lesson whose teachers are two decoders."""
    given = lesson(*terms)
    loaded = [
        Teacher(name=name, model=AttentiveTeacher(seed), coverage=Coverage(), digest=name)
        for seed, name in enumerate("ab", start=1)
    ]
    return replace(given, teachers=LiveOutputs(loaded, num_classes=258))


def test_structure_attention_is_the_mean_over_rows_and_teachers():
    given = attentive(LossTerm(name="structure_attention", weight=1.0))
    student = small_decoder(258)[0]
    batch = given.dataset.batch(given.dataset.splits["train"])
    steps = make_steps(student, given, batch)
    loss = DistillationLoss(given, see(student, steps.example, given, batch, torch.device("cpu")))
    heard = steps.hear(batch, given.needs.teacher, torch.device("cpu"))
    found = token_means(loss, steps.speak(batch.inputs), heard, batch)["structure_attention"]
    name = "attention_last.weights"
    own = Taps(student, (name,), example=(batch.inputs,))(batch.inputs).features[name]
    theirs = torch.stack([each[name] for each in heard.features])
    expected = divergence_within(own, theirs, shared_parent(batch.facts["parent"])).mean()
    assert expected > 0
    torch.testing.assert_close(found, expected)


def test_a_student_is_trained_by_both():
    terms = (LossTerm(name="syntax_forward_kl", weight=1.0), LossTerm(name="structure_attention", weight=1.0))
    student = small_decoder(258)[0]
    (record,) = distill(student, attentive(*terms)).history
    assert set(record.losses) == {"syntax_forward_kl", "structure_attention"}
    assert all(value > 0 for value in record.losses.values())
    assert all(share > 0 for share in record.shares.values())
