"""Plain values that the steps of a request hand to one another. No behaviour beyond reading them."""
