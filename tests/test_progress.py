import io

from rich.console import Console

from asr.runtime import progress


def test_listening_shows_the_real_time_factor_where_a_person_looks(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=screen, force_terminal=True, width=100))
    with progress.audio_bar("transcribing", lambda: 40.0) as tell:
        tell(10.0)
        tell(10.0)
    assert "transcribing" in screen.getvalue()
    assert "50%" in screen.getvalue()
    assert "RTF 0.0" in screen.getvalue()


def test_nothing_is_counted_where_nobody_looks(monkeypatch, capsys):
    def total():
        raise AssertionError

    with progress.audio_bar("transcribing", total) as tell:
        tell(10.0)
    with progress.audio_bar("transcribing", total, shown=False) as tell:
        tell(10.0)
    assert capsys.readouterr() == ("", "")
