"""How speed changes as what GreyFox governs grows: `python -m bench growth`. One file a kind of growth."""
