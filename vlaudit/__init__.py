"""vlaudit: audit a vision-language checkpoint before it ships (`pytest audits/ --model albef`)."""
