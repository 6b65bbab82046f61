"""What makes the site of executed chapters: build, check, pairs of notebooks."""
