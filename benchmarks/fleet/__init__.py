"""Fifty servers: how long a run takes, and what it costs each of them."""
