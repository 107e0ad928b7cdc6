"""One module a finding: claim, source, design, and two lines of test. The audits come with the main job."""
