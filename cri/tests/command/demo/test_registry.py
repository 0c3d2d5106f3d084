"""The built-in registry answers the pull endpoints of the distribution specification and nothing else."""

import http.client
from pathlib import Path

from cri.command.demo.image import INDEX_TYPE, NAME, TAG, make_image
from cri.command.demo.registry import serving


def _get(address: str, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def test_builtin_registry_serves_tag_digest_and_blob(tmp_path: Path) -> None:
    image = make_image(b"program")
    with serving(image, tmp_path, builtin=True) as (address, kind):
        assert kind == "built-in registry"
        assert _get(address, "/v2/")[0] == 200
        assert _get(address, f"/v2/{NAME}/manifests/{TAG}") == (
            200,
            INDEX_TYPE,
            image.index.content,
        )
        manifest = image.manifests[1]
        assert _get(address, f"/v2/{NAME}/manifests/{manifest.digest}")[2] == manifest.content
        blob = image.blobs[0]
        assert _get(address, f"/v2/{NAME}/blobs/{blob.digest}")[2] == blob.content
        assert _get(address, f"/v2/{NAME}/manifests/{TAG}", "HEAD") == (200, INDEX_TYPE, b"")
        assert _get(address, "/v2/other/manifests/latest")[0] == 404
