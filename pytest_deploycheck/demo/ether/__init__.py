"""The little Ethereum that the demo's own programs need: keys, signing, ABI words and a JSON-RPC client."""
