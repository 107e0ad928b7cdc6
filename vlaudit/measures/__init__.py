"""Turn the traces of one unit into named numbers, on the device, before the next batch runs."""
