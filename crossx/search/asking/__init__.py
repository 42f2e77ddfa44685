"""Questions to a gallery from files, and their answers as a table, as JSON and as a page."""
