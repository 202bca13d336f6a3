"""What operators look at: the report, one page that needs nothing but a browser."""
