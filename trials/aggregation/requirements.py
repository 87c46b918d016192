"""What aggregations ask of an ensemble of teachers.

Shape letters: K = teachers, N = rows of the data set, C = classes.
"""

from teachers import TeacherEnsemble


def same_classes(ensemble: TeacherEnsemble) -> str:
    """All teachers know all classes, since what they say is averaged class by class."""
    if _of_some_classes(ensemble):
        return "cannot average teachers that know only some classes; use mean_of_losses"
    return ""


def everywhere(ensemble: TeacherEnsemble) -> str:
    """All teachers cover all classes and rows, since what is learnt from each counts on every sample."""
    partial = _of_some_classes(ensemble)
    partial += [
        name
        for name, everything in zip(ensemble.names, ensemble.rows_KN.all(dim=1).tolist(), strict=True)
        if not everything and name not in partial
    ]
    if partial:
        return f"needs teachers that cover all classes and rows, which {', '.join(partial)} do not; use mean_of_losses"
    return ""


def divided_classes(ensemble: TeacherEnsemble) -> str:
    """The teachers share the classes out: each class is known by exactly one."""
    experts_C = ensemble.known_KC.sum(dim=0)
    if shared := (experts_C > 1).nonzero().squeeze(-1).tolist():
        several = ", ".join(map(str, shared))
        return f"needs teachers that share no class, but classes {several} are known by several; use mean_of_losses"
    if missing := (experts_C == 0).nonzero().squeeze(-1).tolist():
        unknown = ", ".join(map(str, missing))
        return f"needs a teacher for each class, but nobody knows classes {unknown}; use mean_of_losses"
    return ""


def _of_some_classes(ensemble: TeacherEnsemble) -> list[str]:
    everything = ensemble.known_KC.all(dim=1).tolist()
    return [name for name, known in zip(ensemble.names, everything, strict=True) if not known]
