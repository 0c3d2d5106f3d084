"""Foreign layers come from public https URLs alone."""

from image.protocol.foreign_urls import foreign_endpoints


def test_only_public_https_urls_are_used_in_order() -> None:
    urls = [
        "https://a.test/layer",
        "http://a.test/layer",
        "https://127.0.0.1/layer",
        "https://localhost/layer",
        "https://169.254.169.254/layer",
        "https://u:p@a.test/layer",
        "nonsense",
        "https://b.test/layer?sig=1",
        "https://c.test/too-many",
    ]
    found = foreign_endpoints(urls)
    assert [one.url for one in found] == ["https://a.test/layer", "https://b.test/layer?sig=1"]
    assert all(one.is_foreign and not one.gets_credentials for one in found)
    assert not any(one.is_origin or one.can_resolve for one in found)
