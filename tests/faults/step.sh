#!/bin/sh
# The command of one stage: writes to the ledger that it starts and that it ends.
# Each line is one write to a file opened for appending, so no two ever mix.
echo "start $TASKHUB_TASK $TASKHUB_STAGE $TASKHUB_ATTEMPT" >> "$LEDGER"
sleep "$1"
if [ -n "$2" ]; then "$TASKHUB_ASK" "$2" yes no || exit 3; fi
echo "end $TASKHUB_TASK $TASKHUB_STAGE $TASKHUB_ATTEMPT" >> "$LEDGER"
