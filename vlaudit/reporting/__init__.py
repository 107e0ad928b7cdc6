"""Reporting: findings and what they rest on, as a person reads them."""
