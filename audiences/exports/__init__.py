"""Tables of ours as files for others."""

from audiences.exports.tables import ExportReport, export_table, read_csv
from audiences.exports.wide import wide_scores

__all__ = ["ExportReport", "export_table", "read_csv", "wide_scores"]
