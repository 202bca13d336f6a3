"""The sections of the report: a file each, found by listing, with `PLACE`, `TITLE` and `pictures(facts)`."""
