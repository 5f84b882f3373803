"""Which upstream and which model answer a request: a pure decision by rules, in order."""
