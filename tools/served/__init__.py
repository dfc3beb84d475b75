"""Other libraries, each a process in an environment of its own."""
