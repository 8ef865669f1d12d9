"""Reports: a period's figures, the one before it, and where they come from; as HTML, Markdown, JSON and CSV."""
