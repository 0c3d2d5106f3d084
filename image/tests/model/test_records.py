"""Records show no secret."""

from image.model.records import RegistryAuth


def test_credentials_are_never_shown() -> None:
    auth = RegistryAuth(
        username="robot",
        password="S3CR3T",
        auth="S3CR3T",
        identity_token="S3CR3T",
        registry_token="S3CR3T",
        server_address="registry.test",
    )
    assert repr(auth) == "RegistryAuth(server_address='registry.test')"
