"""styles.csv as the webui keeps it."""

import pytest

from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.styles import read_styles, styles_near


def test_names_texts_comments_and_the_old_column(tmp_path):
    path = tmp_path / "stylés.csv"
    path.write_text(
        '\ufeffname, prompt,negative_prompt\n"a, b","{prompt}, film\n35mm",\n# no,x,y\nü,,blurry\n', "utf-8"
    )
    assert read_styles(path) == {"a, b": Style("a, b", "{prompt}, film\n35mm", ""), "ü": Style("ü", "", "blurry")}
    path.write_text("name,text\nold,film\n", "utf-8")
    assert read_styles(path) == {"old": Style("old", "film", "")}


def test_the_webuis_styles_lie_above_its_checkpoints(tmp_path):
    checkpoints = tmp_path / "models" / "Stable-diffusion" / "sub"
    checkpoints.mkdir(parents=True)
    assert styles_near(checkpoints) == {}
    (tmp_path / "styles.csv").write_text("name,prompt,negative_prompt\na,b,c\n", "utf-8")
    assert styles_near(checkpoints) == {"a": Style("a", "b", "c")}


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00", b"name\nx\n"])
def test_another_file_is_said(tmp_path, content):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(ExperimentError, match=r"s\.csv"):
        read_styles(tmp_path / "s.csv")
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_styles(tmp_path / "none.csv")
