"""The audits: one module per finding, with its claim, source, designs, exhibits and tests."""
