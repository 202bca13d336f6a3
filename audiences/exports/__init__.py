"""Tables of ours as files for others."""

from audiences.exports.wide import wide_scores
from audiences.exports.writing import ExportReport, export_table, read_csv

__all__ = ["ExportReport", "export_table", "read_csv", "wide_scores"]
