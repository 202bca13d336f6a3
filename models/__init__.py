"""Things with fit and predict. They see tables and arrays, not where these came from."""
