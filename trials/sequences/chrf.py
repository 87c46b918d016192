"""Overlap of two texts in short pieces, which needs no words."""

from collections import Counter

ORDER, BETA = 6, 2.0


def chrf(text: str, reference: str) -> float:
    """Give the character n-gram F-score of a text, chrF2 (Popović, 2015, https://aclanthology.org/W15-3049/).

    Precision and recall are means over n of 1 to ``ORDER``, of those lengths that either text has; recall counts
    ``BETA`` times as much. Blanks are left out, as in the author's code.

    Returns:
        0 to 1; 1 where both are the same, 0 where they share no character, or one of them has none.
    """
    text, reference = "".join(text.split()), "".join(reference.split())
    precisions, recalls = [], []
    for n in range(1, ORDER + 1):
        written, wanted = _pieces(text, n), _pieces(reference, n)
        if not written or not wanted:
            continue
        shared = (written & wanted).total()
        precisions.append(shared / written.total())
        recalls.append(shared / wanted.total())
    if not precisions or not sum(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _pieces(text: str, n: int) -> Counter[str]:
    return Counter(text[start : start + n] for start in range(len(text) - n + 1))
