"""The part of the page that says what to type next."""

from automl.commands_to_type import typed
from automl.report.markup import command, section
from automl.report.points import front_points
from automl.run import Run


def next_section(run: Run) -> str:
    """Say what to type next."""
    folder, config = run.folder, run.folder / "config.yaml"
    steps: list[tuple[str, str]] = []
    if not run.finished:
        steps.append(("Let the search go on from where it stands", typed("automl", "search", config, "--resume")))
    if points := front_points(run):
        fastest = min(points, key=lambda point: point.metrics.get("latency_ms", float("inf")))
        steps += [
            (
                "Take the student at the knee out",
                typed("automl", "export", folder, "--pick", "knee", "--to", "students/knee"),
            ),
            (
                "Or the best one that keeps a limit",
                typed("automl", "export", folder, "--pick", "best", "--where", _where(run), "--to", "students/best"),
            ),
            (
                "Or any other, by trial and precision",
                typed(
                    "automl",
                    "export",
                    folder,
                    "--pick",
                    f"{fastest.trial}:{fastest.precision}",
                    "--to",
                    "students/fast",
                ),
            ),
            ("Run it, without PyTorch", typed("automl", "predict", "students/knee", "INPUT")),
        ]
        if run.teachers and not run.attributions:
            steps.append(
                (
                    "See what each teacher contributed to a student",
                    typed("automl", "attribute", folder, str(fastest.trial)),
                )
            )
    elif run.finished:
        more = typed("automl", "search", config, "--resume", "--trials", str(2 * len(run.trials)))
        steps.append(("Let the search go on with more trials", more))
    if run.tracking.get("command"):
        steps.append(("Show every trial in MLflow", run.tracking["command"]))
    if run.tracking.get("charts"):
        steps.append(("Then open its charts of the front", run.tracking["charts"]))
    steps.append(("Read the front from a script", typed("automl", "front", folder, "--json")))
    return section("next", "What to type next", *(f'<p class="step">{head}</p>{command(line)}' for head, line in steps))


def _where(run: Run) -> str:
    """Make a limit up that about half of the members keep."""
    sizes = sorted(point.metrics["size_bytes"] for point in front_points(run) if "size_bytes" in point.metrics)
    return f"size_bytes<={sizes[(len(sizes) - 1) // 2]:.0f}" if sizes else "latency_ms<=1"
