"""Probing: what to ask (plan), asking it (run), what the answers say (maps, weakness)."""
