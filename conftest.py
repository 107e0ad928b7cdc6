"""Names the fixture modules of this repository; the plugin comes by its entry point alone."""

pytest_plugins = ["fixtures.model"]
