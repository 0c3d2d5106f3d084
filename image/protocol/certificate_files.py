"""Docker's layout of a registry's directory: certificates by the ends of their names, where there is no hosts.toml.

Pure: names in, rules out. `*.crt` is an authority, `*.cert` a client certificate whose key is the `*.key` of the same
name, or in the same file. containerd reads the same directories that way; whatever else lies there is left alone.
"""

from collections.abc import Collection

from image.protocol.hosts_file import HostEntry, HostRules, TlsRules


def rules_of_certificates(directory: str, names: Collection[str]) -> HostRules:
    """Give the rules that the files `names` of `directory` make, in the order of their names."""
    listed = sorted(names)
    found = frozenset(listed)
    pairs = []
    for name in listed:
        key = f"{name.removesuffix('.cert')}.key"
        if name.endswith(".cert"):
            pairs.append((f"{directory}/{name}", f"{directory}/{key}" if key in found else ""))
    authorities = tuple(f"{directory}/{name}" for name in listed if name.endswith(".crt"))
    tls = TlsRules(ca=authorities, client=tuple(pairs))
    return HostRules(server=HostEntry(url="", tls=tls))
