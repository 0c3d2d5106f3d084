"""What this node itself says of registries: hosts.toml, certificates, config.json and credential helpers.

Read anew whenever it is needed, or learnt beforehand: after `learn` nothing of it is read again, and no program is
started, so that a process can give up the rights which that takes before it meets a registry.
"""

from pathlib import Path

from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.protocol.hosts_file import DEFAULT_TLS, TlsRules
from image.protocol.mirror_rules import Endpoint
from image.registry.credential_source import CredentialSource, NodeCredentials
from image.registry.host_rules_reader import HostRulesReader
from image.registry.tls_contexts import TlsContexts


class NodeKnowledge:
    """One per client."""

    def __init__(self, *, registry_config_path: Path, docker_config_path: str = "") -> None:
        self.rules = HostRulesReader(registry_config_path)
        self.credentials = NodeCredentials(docker_config_path)
        self.tls = TlsContexts()

    async def learn(self, reference: Reference, auth: RegistryAuth | None) -> None:
        """Read and ask all that requests for the repository of `reference` can need.

        Mistakes in files of single endpoints, and helpers that fail, are told when the endpoint is asked.

        Raises:
            InvalidArgument: hosts.toml has an error.
        """
        await self.rules.learn(reference)
        endpoints = await self.rules.endpoints_of(reference)
        await CredentialSource(self.credentials, reference, auth).learn(endpoints)
        for rules in dict.fromkeys(rules for one in endpoints for rules in _tls_of(one)):
            await self.tls.learn(rules)


def _tls_of(endpoint: Endpoint) -> tuple[TlsRules, ...]:
    """Give the settings of an endpoint and of where it may redirect to; what is in no file of ours can wait."""
    elsewhere = TlsRules(ca=endpoint.tls.ca)
    if endpoint.origin.is_encrypted:
        return (endpoint.tls, elsewhere)
    return () if elsewhere == DEFAULT_TLS else (elsewhere,)
