"""The business as a whole: lifecycle, growth, cohorts, purchasing, concentration."""
