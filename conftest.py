"""Makes pytest put this folder on `sys.path`, so that tests can import `audits`, `benchmarks` and `fixtures`."""
