"""Reports: each module renders a `record.Record`, and nothing else, into one output.

Renderers are pure: they read no clock, no environment, no network, and import no pytest, so the same
record gives the same bytes anywhere. Only `bundle` touches the disk.
"""
