"""`itool-jax chat`: talking to a model with tools in the terminal. Nothing that it calls is executed."""
