"""An image is shown with its documents and layers."""

from cri.admin.arguments import Arguments
from cri.admin.image_inspect import inspect_image
from cri.tests.admin.conftest import APP, Site


async def test_layers_and_documents_are_told(site: Site) -> None:
    answer = await inspect_image(site.parts, Arguments({"reference": APP}))
    layers = answer["layers"]
    assert isinstance(layers, list)
    assert [one["images"] for one in layers] == [2, 1]
    assert all(one["kind"] == "extract" and one["size_bytes"] > 0 for one in layers)
    assert (answer["source"], answer["config_source"]) == ("", "")
    assert [one["source"] for one in layers] == ["", ""]
    config = answer["config"]
    assert isinstance(config, dict)
    assert config["architecture"] == "amd64"
