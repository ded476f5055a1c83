"""Images in tar shards are found and read where they lie."""

import io
import tarfile
from pathlib import Path

import pytest
from broken_images import encoded

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.find import find_images
from prompt_ensemble.images.tar_members import is_image_there, member_paths, read_member


def write_shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def shard(tmp_path):
    return write_shard(tmp_path / "0.tar", {"b.png": encoded("PNG"), "./in/ä.jpg": encoded("JPEG")})


def test_a_member_is_read_by_its_path(shard):
    assert read_member(shard / "b.png") == encoded("PNG")
    assert load_image(shard / "in/ä.jpg").size == (32, 32)
    assert [path.name for path in member_paths(shard)] == ["b.png", "ä.jpg"]


def test_a_shard_is_a_source_of_images(shard):
    assert [image.image_id for image in find_images([shard])] == ["b", "ä"]
    assert find_images([shard / "b.png"])[0].load().size == (32, 32)


def test_what_is_not_there_is_said(shard):
    assert not is_image_there(shard / "c.png")
    with pytest.raises(UnreadableImage, match=r"c\.png: cannot be read"):
        load_image(shard / "c.png")


def test_a_shard_that_changed_is_read_anew(shard):
    read_member(shard / "b.png")
    write_shard(shard, {"x.png": b"new", "b.png": b"other"})
    assert read_member(shard / "b.png") == b"other"


def test_links_are_no_members(tmp_path):
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert not is_image_there(path / "link.png")


def test_a_file_that_is_no_tar_is_named(tmp_path):
    path = tmp_path / "0.tar"
    path.write_bytes(b"no archive" * 200)
    with pytest.raises(UnreadableImage, match="no uncompressed tar archive"):
        load_image(path / "a.png")
