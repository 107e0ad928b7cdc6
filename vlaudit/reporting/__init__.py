"""Reporting: verdicts and their evidence as a page, a document and terminal output."""
