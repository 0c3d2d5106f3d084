"""End-to-end tests and measurements of Lading against real programs.

Everything here drives the daemon from outside, over its sockets, with real OCI runtimes, CNI
plugins and registries, and needs root. It never imports the daemon's own code (only the generated
CRI stubs), never touches the host's containers, bridges or firewall: each run has a network
namespace, directories and cgroups of its own, and takes them away again.
"""
