"""Recommenders judged side by side on any files of who took what: no workspace, no settings."""
