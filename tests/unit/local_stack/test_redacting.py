"""The API server's log holds no value that it quotes out of a Secret."""

import sys
from pathlib import Path

from deploy.local import processes, redacting

HEAD = "E1126 10:21:08.423163    6242 status.go:71] "
ANSWER = (
    HEAD + '"Unhandled Error" err="failed to create typed patch object: got &value.valueUnstructured{Value:TOPSECRET}"'
)
SEVERAL = [HEAD + '"Unhandled Error" err=<', "\t.data.a: expected string, got TOPSECRET", "\t.data.b: TOPSECRET", " >"]
OTHER = "I1126 10:50:30.423646    6242 cidrallocator.go:278] updated ClusterIP allocator"


def kept(*lines: str) -> str:
    redactor = redacting.Redactor()
    return b"".join(redactor.keep(f"{line}\n".encode()) for line in lines).decode()


def test_an_answer_is_cut_behind_its_head_and_all_else_is_kept() -> None:
    """When it was and that there was one stays; who asked has the rest."""
    assert kept(OTHER, ANSWER, OTHER) == f"{OTHER}\n{HEAD}{redacting.CUT.decode()}{OTHER}\n"


def test_what_continues_a_cut_line_goes_with_it() -> None:
    """The log library writes a text of several lines indented, and closes it with ` >`."""
    text = kept(*SEVERAL, OTHER, "\tindented by somebody else")
    assert "TOPSECRET" not in text
    assert text.endswith(f"{OTHER}\n\tindented by somebody else\n")


async def test_a_program_with_a_redactor_says_all_else_to_its_log(tmp_path: Path) -> None:
    """To its end, also what is no whole line, and what is too long does not stop it."""
    says = "import sys; print(*sys.argv[1:], 'x' * (1 << 21), 'after it', sep='\\n'); print('the end', end='')"
    program = processes.Program(
        name="speaker",
        argv=(sys.executable, "-c", says, OTHER, ANSWER),
        cwd=tmp_path,
        log=tmp_path / "speaker.log",
        redactor=redacting.Redactor,
    )
    assert await processes.complete(program, tmp_path) == 0
    log = program.log.read_text()
    assert "TOPSECRET" not in log
    assert log.startswith(f"{OTHER}\n{HEAD}")
    assert "left out" in log
    assert log.endswith("after it\nthe end")
