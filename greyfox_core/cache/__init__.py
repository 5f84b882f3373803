"""Answers that were given before: what makes two requests the same, who may share them, and where they are kept."""
