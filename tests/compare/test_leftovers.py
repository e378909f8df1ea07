from drawing_runs import PLAIN, draw

from ohwx_compare.files.atomic import UNFINISHED


def test_what_a_kill_left_anywhere_in_a_run_folder_is_swept_by_the_next_run(models, tmp_path):
    out = tmp_path / "out"
    for folder in (out, out / "images", out / "thumbs", out / "page"):
        folder.mkdir(exist_ok=True)
    draw(PLAIN, models, out)
    for folder in (out, out / "images", out / "thumbs", out / "page"):
        (folder / f"run.mark.0123abcd{UNFINISHED}").write_bytes(b"half")
    draw(PLAIN, models, out)
    assert not [*out.rglob("*" + UNFINISHED)]
