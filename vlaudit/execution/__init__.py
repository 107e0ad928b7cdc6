"""Plan the distinct passes of a run, run them in batches, keep the rows."""
