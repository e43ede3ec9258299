"""`deploycheck init`: reads a project and writes what a first run needs; it asks nothing and overwrites nothing."""
