"""Whom to talk to: an audience by rule, without those who must not be contacted, with a control group, in a file."""
