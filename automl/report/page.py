"""One self-contained page about a run."""

import os
import tempfile
from datetime import UTC, datetime
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from automl.report.attribution import attribution_section
from automl.report.division import division_section
from automl.report.front_section import front_section, headline
from automl.report.markup import Figures
from automl.report.next_section import next_section
from automl.report.plotly_script import packed_plotly
from automl.report.proxy_section import proxy_section
from automl.report.rungs_section import rungs_section
from automl.report.search_sections import (
    choices_section,
    machine_section,
    search_section,
    teachers_section,
    training_section,
)
from automl.run import Run

_NAVIGATION = {
    "front": "Front",
    "teachers": "Teachers",
    "attribution": "Contributions",
    "search": "Search",
    "rungs": "Rungs",
    "proxies": "Proxies",
    "choices": "What mattered",
    "division": "Teaching",
    "training": "Training",
    "next": "What to type next",
    "machine": "Machine",
}


def render(run: Run) -> str:
    """Write the page that tells a search.

    Args:
        run: The search, at any stage.

    Returns:
        HTML that loads nothing: style, script and plotly are in it, about 2 MB.
    """
    figures = Figures()
    sections = {
        "front": front_section(run, figures),
        "teachers": teachers_section(run, figures),
        "attribution": attribution_section(run, figures),
        "search": search_section(run, figures),
        "rungs": rungs_section(run, figures),
        "proxies": proxy_section(run, figures),
        "choices": choices_section(run, figures),
        "division": division_section(run),
        "training": training_section(run, figures),
        "next": next_section(run),
        "machine": machine_section(run),
    }
    links = (f'<a href="#{name}">{_NAVIGATION[name]}</a>' for name, section in sections.items() if section)
    return Template(_file("page.html")).substitute(
        title=escape(f"{run.name}: Pareto front"),
        style=_file("style.css"),
        navigation="".join(links),
        headline=headline(run),
        sections="\n".join(sections.values()),
        footer=f"Written by automl on {datetime.now(UTC):%Y-%m-%d at %H:%M} UTC from {escape(str(run.folder))}.",
        figures=figures.data(),
        plotly=packed_plotly(),
        script=_file("page.js"),
    )


def write_report(run: Run) -> Path:
    """Write the page into the run's folder as ``report.html``, whole or not at all.

    Args:
        run: The search, at any stage; its folder exists.

    Returns:
        The file.
    """
    path = run.folder / "report.html"
    page = render(run)
    handle, draft = tempfile.mkstemp(dir=run.folder, prefix=".report-", suffix=".html")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        Path(draft).chmod(0o644)  # mkstemp lets nobody else read it
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def _file(name: str) -> str:
    """Read a file that is shipped beside this one."""
    return resources.files("automl.report").joinpath(name).read_text(encoding="utf-8")
