"""The large world: 465 concepts over 51 domains, asked for in many registers, with nested calls and long tool sets."""
