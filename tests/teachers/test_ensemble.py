import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Batch, Coverage, LabelGroup, LiveOutputs, Outputs, Teacher, TeacherEnsemble

STYLE = {"style": np.array(["x", "x", "y", "y"])}


def ensemble(*coverages, num_classes=3):
    named = {f"t{k}": coverage for k, coverage in enumerate(coverages)}
    return TeacherEnsemble(named, num_classes=num_classes, num_rows=4, columns=STYLE)


def batch(rows, labels):
    return Batch(index=torch.tensor(rows), inputs=torch.zeros(len(rows), 2), labels=torch.tensor(labels))


def test_data_without_columns_is_told_to_have_none():
    with pytest.raises(ValueError, match=r"the data has no column 'pen'; it has none$"):
        Coverage(column="pen", values=("x",)).rows(4, {})


def test_all_vote_everywhere_without_coverage():
    assert ensemble(Coverage(), Coverage()).votes(batch([0, 3], [2, MISSING_LABEL])).tolist() == [[1, 1], [1, 1]]


def test_nobody_votes_on_rows_outside():
    votes = ensemble(Coverage(column="style", values=("x",)), Coverage(column="style", values=("y",)))
    assert votes.votes(batch([0, 2, 3], [0, 1, MISSING_LABEL])).tolist() == [[1, 0, 0], [0, 1, 1]]


def test_nobody_votes_on_a_known_label_outside_and_may_where_the_label_is_missing():
    found = ensemble(Coverage(labels=(0, 1)), Coverage(labels=(2,)), Coverage())
    votes = found.votes(batch([0, 1, 2], [0, 2, MISSING_LABEL]))
    assert votes.tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert votes.dtype == torch.float32


def test_rows_and_labels_both_must_be_covered():
    found = ensemble(Coverage(labels=(0,), column="style", values=("x",)))
    assert found.votes(batch([0, 1, 2, 3], [0, 1, 0, MISSING_LABEL])).tolist() == [[1, 0, 0, 0]]


def test_rows_without_a_teacher_are_counted_by_what_students_see():
    found = ensemble(Coverage(labels=(0, 1), column="style", values=("x",)))
    rows = np.array([0, 1, 2, 3])
    assert found.num_unheard(rows, np.array([0, 2, 0, 2])) == 3
    assert found.num_unheard(rows, np.array([0, MISSING_LABEL, 0, MISSING_LABEL])) == 2
    assert found.num_unheard(rows[1:2], np.array([2])) == 1
    assert ensemble(Coverage()).num_unheard(rows, np.array([0, 1, 2, MISSING_LABEL])) == 0


def test_teachers_of_the_same_labels_form_one_group_in_whatever_order():
    groups = ensemble(Coverage(labels=(2, 0)), Coverage(), Coverage(labels=(0, 2)), Coverage(labels=(0, 1, 2))).groups
    assert [group.teachers for group in groups] == [(0, 2), (1, 3)]
    assert groups[0].classes.tolist() == [0, 2]
    assert groups[1].classes is None


def test_a_group_keeps_its_teachers_and_classes():
    group = LabelGroup(teachers=(0, 2), classes=torch.tensor([0, 2]))
    logits_KBC = torch.arange(3 * 2 * 3.0).reshape(3, 2, 3)
    assert torch.equal(group.teacher_logits(logits_KBC), logits_KBC[[0, 2]][..., [0, 2]])
    assert torch.equal(group.student_logits(logits_KBC[0]), logits_KBC[0][:, [0, 2]])
    assert group.labels(torch.tensor([2, 1, 0, MISSING_LABEL])).tolist() == [1, MISSING_LABEL, 0, MISSING_LABEL]


@pytest.mark.parametrize(
    ("coverage", "message"),
    [
        (Coverage(labels=(0, 3)), r"'t0' covers labels 0, 3, but the data has 3 classes"),
        (Coverage(column="pen", values=("x",)), r"'t0': the data has no column 'pen'; it has style"),
        (Coverage(column="style", values=("z",)), r"no row has 'style' in z; the column holds x, y"),
    ],
)
def test_a_coverage_that_the_data_does_not_have_is_refused(coverage, message):
    with pytest.raises(ValueError, match=message):
        ensemble(coverage)


def test_an_empty_coverage_is_refused():
    with pytest.raises(ValueError, match=r"at least one and differ"):
        Coverage(labels=(1, 1))
    with pytest.raises(ValueError, match=r"both a column and the values"):
        Coverage(column="style")


def constant(name, row, labels=None):
    def model(inputs, features=()):
        return Outputs(logits=torch.tensor(row).repeat(len(inputs), 1))

    return Teacher(name=name, model=model, coverage=Coverage(labels=labels), digest=name)


def test_live_outputs_put_columns_where_their_classes_are():
    teachers = [constant("all", [1.0, 2, 3]), constant("narrow", [5.0, 6], (2, 0)), constant("wide", [7.0, 8, 9], (1,))]
    logits = LiveOutputs(teachers, num_classes=3)(batch([0, 1], [0, 0])).logits
    assert logits.dtype == torch.float32
    assert logits[:, 1].tolist() == [[1, 2, 3], [6, 0, 5], [0, 8, 0]]
    assert torch.equal(logits[:, 0], logits[:, 1])


def test_live_outputs_refuse_wrong_columns_and_what_is_not_finite():
    with pytest.raises(ValueError, match=r"'t' gave 4 columns of logits, expected 3 \(all classes\) or 2 \(labels"):
        LiveOutputs([constant("t", [0.0] * 4, (0, 1))], num_classes=3)(batch([0], [0]))
    with pytest.raises(ValueError, match=r"'t' gave logits that are not finite for 2 of 2 rows"):
        LiveOutputs([constant("t", [0.0, float("nan"), 0.0])], num_classes=3)(batch([0, 1], [0, 0]))
