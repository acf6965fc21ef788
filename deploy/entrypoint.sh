#!/bin/sh
# Starts the worker with the arguments that the reference's image takes: the words that start its
# program are dropped, and the flags behind them are passed on.
set -eu
while [ $# -gt 0 ]; do
  case "$1" in
    node | pnpm | npm | run | worker | start | start:prod | server | */start.js | start.js) shift ;;
    *) break ;;
  esac
done
exec holdfast worker "$@"
