"""Answers: the release format, pure scoring, lookups and the BentoML service. Never trains, never unpickles."""
