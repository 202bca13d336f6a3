"""Tables of ours as files for others."""

from audiences.exports.wide import wide_scores, wide_suggestions
from audiences.exports.writing import ExportReport, export_table, read_csv, write_manifest

__all__ = ["ExportReport", "export_table", "read_csv", "wide_scores", "wide_suggestions", "write_manifest"]
