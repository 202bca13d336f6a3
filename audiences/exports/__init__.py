"""Tables of ours as files for others."""

from audiences.exports.databases import DatabaseReport, export_to_database
from audiences.exports.wide import wide_scores, wide_suggestions
from audiences.exports.writing import ExportReport, export_table, read_csv, write_manifest

__all__ = [
    "DatabaseReport",
    "ExportReport",
    "export_table",
    "export_to_database",
    "read_csv",
    "wide_scores",
    "wide_suggestions",
    "write_manifest",
]
