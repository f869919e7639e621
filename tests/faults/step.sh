#!/bin/sh
# The command of one stage: writes to the ledger that it starts and that it ends. In between it takes
# so many seconds, or waits for the file `go` in the folder of the task.
# Each line is one write to a file opened for appending, so no two ever mix. A kill may cut a write
# short where a page of the file ends: the dot tells a whole line, and the newline parts it from that.
printf '\nstart %s .\n' "$TASKHUB_TASK $TASKHUB_STAGE $TASKHUB_ATTEMPT" >> "$LEDGER"
if [ "$1" = go ]; then until [ -e go ]; do sleep 0.05; done; else sleep "$1"; fi
if [ -n "$2" ]; then "$TASKHUB_ASK" "$2" yes no || exit 3; fi
printf '\nend %s .\n' "$TASKHUB_TASK $TASKHUB_STAGE $TASKHUB_ATTEMPT" >> "$LEDGER"
