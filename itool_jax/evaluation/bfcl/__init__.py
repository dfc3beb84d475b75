"""The Berkeley Function Calling Leaderboard (BFCL v4): its entries as prompts, and its verdicts on answers."""
