"""The pytest side of a run: collection, fixtures, outcomes, workers. Nothing else imports pytest.

What checks share about people's word is judged in `claims`, and its comparisons are evidence like those of a suite's
own module. pytest rewrites the modules of an installed plugin by itself, but not those of an editable installation.
"""

import pytest

pytest.register_assert_rewrite("pytest_deploycheck.claims")
