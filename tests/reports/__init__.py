"""Tests of the reports, and the record factory that other tests may borrow."""
