"""Imported first by the processes of the service and by the command line: they run without pandas and scikit-learn."""

from __future__ import annotations

from warehouse.hidden import hide

hide()
