"""Tests of the rules from outside: header values, policies, cipher tables, word lists."""
