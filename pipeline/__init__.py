"""The steps of the nightly run in order, their keys and locks."""
