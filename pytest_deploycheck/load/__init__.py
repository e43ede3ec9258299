"""Load: how Locust is run as a subprocess, what its users do, and how its report is read.

Nothing here imports Locust: `locustfile` and `guard` are handed to it as files and run in its own processes.
"""
