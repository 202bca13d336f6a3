"""The report: one HTML file that holds everything it shows, readable without a network.

Each file of `sections` is one section and is found by listing. A section is some pictures; a picture
answers one question in one sentence, with its table beneath.
"""

from console.report.making import Report, make_report

__all__ = ["Report", "make_report"]
