"""`python -m pytest_deploycheck.demo.app` serves one instance."""

from pytest_deploycheck.demo.app.main import main

main()
