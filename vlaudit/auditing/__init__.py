"""Run audits without pytest: options, models, data and thresholds in; verdicts, document and report out."""
