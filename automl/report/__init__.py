"""What people look at: the page about a run, and pictures of its front."""

from automl.report.figures import front_figure
from automl.report.page import render, write_report
from automl.report.picture import front_png

__all__ = ["front_figure", "front_png", "render", "write_report"]
