"""How many tokens a text is, before a provider says so: shipped tokenizers, factors, bounds."""
