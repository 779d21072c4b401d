"""The command line: commands, their configurations, results folders and reports."""
