"""The report of an iteration, to share: one HTML file that needs nothing else, or Markdown.

Like the cards of models and datasets it is in English: it leaves the house.
"""

from webapp.metrics.report.build import report_of
from webapp.metrics.report.html import html, policy_of
from webapp.metrics.report.markdown import markdown

__all__ = ["html", "markdown", "policy_of", "report_of"]
