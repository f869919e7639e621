"""Progress as real programs print it, for people to read. Each form was seen in real output."""

import re

# Each with the tool it was seen from. One group is a percentage, two are done and total.
_WITH_PERCENT = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:^|[:\s])(\d{1,3})%\|",  # tqdm
        r"^(?:remote: )?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Writing|Updating"
        r"|Filtering) [a-z ]{1,40}:\s+(\d{1,3})% \(\d+/\d+\)",  # git
        r"^\s*[\d,.]+[KMGT]?\s+(\d{1,3})%\s+[\d.]+\w?B/s",  # rsync --info=progress2
        r"^[#=O\-\s]*\s(\d{1,3}(?:\.\d)?)%\s*$",  # curl -#
        r"\s(\d{1,3})%\[[=>+ ]*\]",  # wget, bar
        r"^\s*\d+K[ .,]+\s(\d{1,3})%",  # wget, dots
        r"^\[download\]\s+(\d{1,3}(?:\.\d+)?)% of",  # yt-dlp
        r"^\[#\w+ .*\((\d{1,3})%\)",  # aria2
        r"(?<![━╸╺])[━╸╺]{3,}+[^━╸╺]*?\s(\d{1,3})%",  # rich
        r"\[\s*(\d{1,3})%\]\s*$",  # pytest
        r"^\[\s*(\d{1,3})%\]\s",  # cmake
        r"^Progress: \[\s*(\d{1,3})%\]",  # apt
    )
)
_WITHOUT = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\[(\d{1,9})/(\d{1,9})\]\s",  # ninja, meson
        r"(?<![━╸╺])[━╸╺]{3,}+\s+([\d.]{1,12})/([\d.]{1,12})\s*[kMG]?B",  # pip
        r"^Progress (\d{1,18}) of (\d{1,18})\s*$",  # pip --progress-bar raw
        r"^\s*Building \[[=> ]*\] (\d{1,9})/(\d{1,9})",  # cargo
    )
)
_HINTS_WITHOUT = ("━", "Progress ", "Building [")
_METER = re.compile(r"^\s*(\d{1,3})(?:\s+[\d.]+[kMGT]?\s+\d{1,3}){2}\s+[\d.]+[kMGT]?\s")  # curl
# A line that is drawn again and again and holds a percentage is a progress bar of some kind,
# unless the figure is what compression made of the size (zstd prints `==> 34%`).
_REDRAWN = re.compile(r"(?<![\w.])(?<!==> )(?<!==>  )(\d{1,3}(?:\.\d+)?)\s?%(?!\w)")
_DURATION = re.compile(r"Duration:\s*(\d{1,6}):(\d\d):(\d\d(?:\.\d*)?)")
_TIME = re.compile(r"(?:\btime|^out_time)=\s*(\d{1,6}):(\d\d):(\d\d(?:\.\d*)?)")
_HINTS = ("%", "\n[", "time=", "Duration:", *_HINTS_WITHOUT)


def hinted(text: str) -> bool:
    """Tell, quickly, whether a line of `text`, which is not redrawn, can be progress."""
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
        forms: tuple[re.Pattern[str], ...] = ()
        if "%" in line:
            forms = _WITH_PERCENT
        elif line.startswith("[") or any(hint in line for hint in _HINTS_WITHOUT):
            forms = _WITHOUT
        if redrawn:
            forms = (*forms, _METER, _REDRAWN)
        for form in forms:
            if m := form.search(line):
                return _share(m[1], m[2] if form.groups == 2 else "100")
        return None


def _share(done: str, total: str) -> float | None:
    try:
        share = float(done) / float(total)
    except (ValueError, ZeroDivisionError):
        return None
    return share if 0 <= share <= 1 else None


def _seconds(m: re.Match[str]) -> float:
    return int(m[1]) * 3600 + int(m[2]) * 60 + float(m[3])
