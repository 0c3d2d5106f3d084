"""Which images may be used: rules per registry prefix, and signatures made by `cosign sign --key`, of version 2 or 3.

Words: policy (the file), rule, payload (what was signed: a simple signing document that names a digest), identity (the
repository that the signer meant). It decides on bytes that others fetched: no network, no clock, and no file but the
policy and its keys. Doubt is refusal (security rule B6).
"""
