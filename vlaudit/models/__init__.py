"""Answer forward requests for one checkpoint family each, behind one boundary (`base`)."""
