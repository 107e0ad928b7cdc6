"""Progress: updated in place on a terminal, a line per 30 s in a log, silent without a stream."""

import io

from vlaudit.execution.progress import Progress


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


def written(stream):
    stream.flush()
    return stream.buffer.getvalue().decode()


def test_on_a_terminal_the_line_is_appended_to_and_cleared():
    stream = Terminal(io.BytesIO())
    progress = Progress(10, stream, label="albef")
    progress._written -= 1
    progress.advance(4)
    assert "albef 4/10 passes" in written(stream)
    progress.close()
    assert written(stream).endswith("\x1b8\x1b[K")  # the cursor is back where the line began, the rest is cleared


def test_a_log_gets_a_line_per_30_seconds():
    log = io.TextIOWrapper(io.BytesIO())
    progress = Progress(10, log)
    progress.advance(1)
    assert written(log) == ""
    progress._written -= 31
    progress.advance(1)
    assert written(log).count("\n") == 1


def test_without_a_stream_passes_are_counted_in_silence():
    quiet = Progress(10)
    quiet.advance(4)
    assert "4/10" in str(quiet)
