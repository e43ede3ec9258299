"""What the demo's people have signed: a module for each area, each with a function `write(world, people)`.

It calls `people.record(item, role, statement, facts)` for each record, or `people.say(...)` for other kinds.
"""
