"""A one-node chain over py-evm: real execution, real roots and hashes, Ethereum's JSON-RPC.

Written because eth-tester mines an empty block in full, keeps every state for ever, has no state override and
no dynamic finality tags; here an idle second costs one header.
"""
