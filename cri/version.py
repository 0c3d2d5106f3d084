"""Which version of Lading this is, and which interfaces it speaks. A leaf; reads nothing but package metadata."""

VERSION = "0.1.0"
"""Version of the distribution `lading`; equal to the one in pyproject.toml (a test holds it)."""

CRI_VERSION = "v1"
"""Version of the Container Runtime Interface."""

CRI_API_VERSION = "v0.37.2"
"""Version of k8s.io/cri-api that the stubs were generated from."""

STATE_SCHEMA = 1
"""Version of the state database's tables."""
