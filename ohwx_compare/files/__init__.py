"""Bytes on disk: metadata, masks, vocabulary, headers and hashes, the ledger."""
