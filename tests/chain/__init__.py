"""The contract's proof on real chains: two anvils, and faults that only a chain can show."""
