"""Multinomial logistic regression on embeddings, against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from teachers.head_fitting import PENALTIES, fit_head


def embeddings(num_rows: int = 120, *, noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(3)
    labels = np.arange(num_rows) % 3
    rows = np.eye(6)[labels] + noise * rng.normal(size=(num_rows, 6))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)).float(), torch.from_numpy(labels)


def test_the_head_is_the_one_solution_as_scikit_learn_finds_it() -> None:
    x, y = embeddings()
    head = fit_head(x, y, num_classes=3, seed=0)
    # A column of ones stands for the bias, so that it is penalised alike.
    ones = np.hstack([x.double().numpy(), np.ones((len(x), 1))])
    other = LogisticRegression(C=1 / (head.penalty * len(x)), fit_intercept=False, tol=1e-10, max_iter=10_000)
    expected = other.fit(ones, y.numpy()).coef_
    np.testing.assert_allclose(np.hstack([head.weight.numpy(), head.bias.numpy()[:, None]]), expected, atol=2e-3)
    np.testing.assert_allclose(head(x).softmax(dim=1).numpy(), other.predict_proba(ones), atol=1e-4)


def test_it_repeats_to_the_bit_and_the_seed_only_chooses_who_is_held_out() -> None:
    x, y = embeddings()
    first, again = (fit_head(x, y, num_classes=3, seed=0) for _ in range(2))
    assert torch.equal(first.weight, again.weight)
    assert first.penalty in PENALTIES


def test_noise_asks_for_a_stronger_penalty() -> None:
    clear, noisy = (fit_head(*embeddings(noise=noise), num_classes=3, seed=0).penalty for noise in (0.05, 2.0))
    assert noisy > clear


def test_a_class_without_rows_is_hardly_believed_in() -> None:
    x, y = embeddings()
    assert float(fit_head(x, y, num_classes=4, seed=0)(x).softmax(dim=1)[:, 3].max()) < 0.05


def test_few_rows_suffice_and_one_class_does_not() -> None:
    x, y = embeddings(9)
    assert fit_head(x, y, num_classes=3, seed=0)(x).argmax(dim=1).tolist() == y.tolist()
    with pytest.raises(
        ValueError, match="at least two classes to be fitted, the 9 rows that the teacher covers are of"
    ):
        fit_head(x, torch.ones(9, dtype=torch.int64), num_classes=3, seed=0)
