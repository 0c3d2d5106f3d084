"""The web server images: nginx in the foreground, logging its start to standard error.

The configuration is complete in itself, so nothing of the machine's own nginx configuration
matters.
"""

from __future__ import annotations

from e2e.images.host_programs import dynamic_entries
from e2e.images.layer import Entry, directory, regular, symlink
from e2e.tool_paths import system_tool

CONFIGURATION = """user www-data;
worker_processes 1;
pid /var/run/nginx.pid;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
  access_log off;
  server {{
    listen {port};
    location / {{ root /usr/share/nginx/html; index index.html; }}
  }}
}}
"""
PAGE = b"<!DOCTYPE html><title>Lading test page</title><p>It works.</p>\n"


def program_entries() -> list[Entry]:
    """Return nginx with its libraries, its folders and one page; to be put on top of busybox."""
    folders = ["etc/nginx", "usr/share", "usr/share/nginx", "usr/share/nginx/html"]
    folders += ["var/lib", "var/log", "var/log/nginx", "var/lock"]
    entries = [directory(folder) for folder in folders]
    entries.append(directory("var/lib/nginx", uid=33, gid=33))
    entries.append(regular("usr/share/nginx/html/index.html", PAGE))
    entries.append(symlink("var/log/nginx/error.log", "/dev/stderr"))
    return entries + dynamic_entries({"usr/sbin/nginx": system_tool("nginx")})


def configuration_entries(port: int) -> list[Entry]:
    """Return the layer that makes the server listen on a port."""
    content = CONFIGURATION.format(port=port).encode()
    return [directory("etc/nginx"), regular("etc/nginx/nginx.conf", content)]


def foreground_command() -> tuple[str, ...]:
    """Return the command that keeps nginx as the first process of the container."""
    return ("/usr/sbin/nginx", "-g", "daemon off;")


def announcing_command(name: str) -> tuple[str, ...]:
    """Return a command that first logs a name, as other web servers log theirs."""
    return ("/bin/sh", "-c", f"echo '{name}: starting'; exec /usr/sbin/nginx -g 'daemon off;'")
