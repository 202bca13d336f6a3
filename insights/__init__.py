"""The business as a whole: what its customers do together, counted and put into words."""
