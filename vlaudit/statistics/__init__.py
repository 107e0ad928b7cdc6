"""Columns to an estimate with an interval; no models, no pytest."""
