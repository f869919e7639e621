"""Progress as real programs print it, for people to read. Each form was seen in real output."""

import re

# Name and pattern. One group is a percentage, two groups are done and total.
_FORMS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("tqdm", r"(?:^|[:\s])(\d{1,3})%\|"),
        (
            "git",
            r"^(?:remote: )?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Writing"
            r"|Updating|Filtering)[\w ]+:\s+(\d{1,3})% \(\d+/\d+\)",
        ),
        ("rsync", r"^\s*[\d,.]+[KMGT]?\s+(\d{1,3})%\s+[\d.]+\w?B/s"),
        ("curl", r"^[#=O\-\s]*\s(\d{1,3}(?:\.\d)?)%\s*$"),
        ("curl", r"^\s*(\d{1,3})(?:\s+[\d.]+[kMGT]?\s+\d{1,3}){1,2}\s+[\d.]+[kMGT]?\s"),
        ("wget", r"\s(\d{1,3})%\[[=>+ ]*\]"),
        ("wget", r"^\s*\d+K[ .,]+\s(\d{1,3})%"),
        ("yt-dlp", r"^\[download\]\s+(\d{1,3}(?:\.\d+)?)% of"),
        ("aria2", r"^\[#\w+ .*\((\d{1,3})%\)"),
        ("rich", r"[━╸╺]{3,}.*?\s(\d{1,3})%"),
        ("pip", r"[━╸╺]{3,}\s+([\d.]+)/([\d.]+)\s*[kMG]?B"),
        ("pip", r"^Progress (\d+) of (\d+)\s*$"),
        ("pytest", r"\[\s*(\d{1,3})%\]\s*$"),
        ("cmake", r"^\[\s*(\d{1,3})%\]\s"),
        ("ninja", r"^\[(\d+)/(\d+)\]\s"),
        ("cargo", r"^\s*Building \[[=> ]*\] (\d+)/(\d+)"),
        ("apt", r"^Progress: \[\s*(\d{1,3})%\]"),
    )
)
# A line that is drawn again and again and holds a percentage is a progress bar of some kind.
_REDRAWN = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s?%(?!\w)")
_DURATION = re.compile(r"Duration:\s*(\d+):(\d+):([\d.]+)")
_TIME = re.compile(r"(?:\btime|^out_time)=\s*(\d+):(\d+):([\d.]+)")
# What must be in a text for any form to fit; plain searches, to be quick on what has none.
_HINTS = ("%", "\n[", "━", "Progress ", "Building [", "time=", "Duration:", "\r")


def hinted(text: str) -> bool:
    """Tell, quickly, whether any line of `text` can be progress; no line is missed."""
    # A transfer meter of curl has no mark of its own, but is drawn with carriage returns.
    return text.startswith("[") or any(hint in text for hint in _HINTS)


class Percent:
    """Finds the fraction that a line shows. Remembers the length that ffmpeg names at its start."""

    def __init__(self, duration: float = 0.0) -> None:
        self.duration = duration
        """Seconds of the input that ffmpeg is at work on; 0 when unknown."""

    def fraction(self, line: str, *, redrawn: bool = False) -> float | None:
        """Return 0 to 1, or None when `line` shows no progress.

        Args:
            redrawn: the line ends in a carriage return, so that the next is drawn over it.
        """
        line = line[-1000:]
        if "Duration:" in line and (m := _DURATION.search(line)):
            self.duration = _seconds(m)
        if self.duration and "time=" in line and (m := _TIME.search(line)):
            return min(_seconds(m) / self.duration, 1.0)
        for _, form in _FORMS:
            if m := form.search(line):
                done, total = float(m[1]), float(m[2]) if form.groups == 2 else 100.0
                return done / total if total and done <= total else None
        if redrawn and (m := _REDRAWN.search(line)) and float(m[1]) <= 100:
            return float(m[1]) / 100
        return None


def _seconds(m: re.Match[str]) -> float:
    return int(m[1]) * 3600 + int(m[2]) * 60 + float(m[3])
