#!/bin/sh
# share-debug.sh FIRST SECOND OUTPUT ALONE SHARED: moves what the DWARF of FIRST and SECOND has in common to SHARED, by dwz.
# OUTPUT is FIRST with a relative link to it; ALONE is the same with a link to a file that is not there.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
objcopy --decompress-debug-sections "$1" "$work/first"
objcopy --decompress-debug-sections "$2" "$work/second"
cp "$work/first" "$work/alone"
cp "$work/second" "$work/second-alone"
dwz -m "$work/shared" -M "$(basename "$5")" "$work/first" "$work/second"
dwz -m "$work/other" -M not-there.dwz "$work/alone" "$work/second-alone"
cp "$work/first" "$3"
cp "$work/alone" "$4"
cp "$work/shared" "$5"
