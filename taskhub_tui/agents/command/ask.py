"""The helper behind `$TASKHUB_ASK`: asks a person, waits, prints the answer.

    answer=$("$TASKHUB_ASK" "Deploy to production?" yes no)

Exit code 0 is yes, a choice or a text; 1 is no; 2 is a wrong use. Standard library only; run by
its path, so that it starts in a few hundredths of a second.
"""

import argparse
import errno
import json
import os
import re
import sys
import time


def main(argv: list[str]) -> int:
    """Ask what `argv` says and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="$TASKHUB_ASK",
        description="Ask a person, wait, and print the answer. Exit code 1 means no.",
    )
    parser.add_argument("question")
    parser.add_argument("choices", nargs="*", help="the answers to choose from; none: approve/deny")
    parser.add_argument("--input", action="store_true", help="ask for a text")
    parser.add_argument("--key", help="a name; the same name again gives the same answer at once")
    parser.add_argument("--risk", choices=("low", "high"), default="low")
    parser.add_argument("--timeout", type=float, help="seconds after which --default is taken")
    parser.add_argument("--default", choices=("approve", "deny", "cancel"))
    parser.add_argument(
        "--unanswered",
        choices=("wait", "remind", "escalate"),
        help="without --default: what becomes of it after --timeout",
    )
    args = parser.parse_args(argv)
    folder = os.environ.get("TASKHUB_ANSWERS")
    if not folder:
        parser.error("this works only in a command that TaskHub runs (TASKHUB_ANSWERS is not set)")
    key = args.key or f"ask-{os.getpid()}-{time.time_ns()}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", key):
        parser.error("--key takes 1 to 80 letters, digits, dots, dashes and underscores")
    question = {
        "ask": args.question,
        "key": key,
        "kind": "input" if args.input else None if args.choices else "approve",
        "choices": args.choices,
        "risk": args.risk,
        "timeout": args.timeout,
        "default": args.default,
        "unanswered": args.unanswered,
    }
    line = json.dumps({"taskhub": question}) + "\n"
    hand_over(f"{folder}/../control", line.encode())
    pause = 0.02
    # The answer comes as a file; a person takes seconds, so looking for it costs next to nothing.
    while True:
        try:
            with open(f"{folder}/{key}.json") as file:
                answer = json.load(file)
            break
        except FileNotFoundError:
            time.sleep(pause)
            pause = min(pause * 1.3, 0.25)
    sys.stdout.write(answer["answer"] + "\n")
    sys.stdout.flush()
    return 0 if answer["ok"] else 1


def hand_over(path: str, line: bytes) -> None:
    """Append `line`; waits while the disk is full, for a question must not turn into a "no"."""
    told = False
    while line:
        try:
            control = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                line = line[os.write(control, line) :]
            finally:
                os.close(control)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            if not told:
                told = True
                sys.stderr.write("The disk is full; the question is asked once there is space\n")
            time.sleep(0.5)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
