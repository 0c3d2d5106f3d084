"""Tests of the sample for probing: it is a layer like any other."""

import tarfile
from io import BytesIO

from image.store.erofs.probe_sample import make_sample
from image.tests.store.erofs.index_reading import read_index


def test_sample_is_a_whole_tar_with_its_index() -> None:
    sample = make_sample()
    with tarfile.open(fileobj=BytesIO(sample.tar)) as archive:
        file = archive.extractfile(sample.name)
        assert file is not None
        assert file.read() == sample.content
    assert read_index(sample.index, sample.tar)[sample.name.encode()].content == sample.content
    assert len(sample.content) > len(sample.tar) // 2
