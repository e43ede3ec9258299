"""The faults that prove the checks, and what injects them."""
