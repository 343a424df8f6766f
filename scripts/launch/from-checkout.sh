# Finds a program: of a distribution of this checkout, built first when it is missing, or the one that is installed in the folder
# FERRY_PROGRAMS (/usr/bin where these scripts are beside the runtime of a package). Expects $root, $module and $program; leaves the file in $start.
[ -n "${FERRY_PROGRAMS:-}" ] || [ ! -d "$root/runtime" ] || FERRY_PROGRAMS=/usr/bin
if [ -n "${FERRY_PROGRAMS:-}" ]; then
  export FERRY_PROGRAMS
  start=$FERRY_PROGRAMS/$program
  [ -x "$start" ] || { echo "$(basename "$0"): there is no $start" >&2; exit 1; }
else
  start=$root/$module/target/dist/$program/bin/$program
  if [ ! -x "$start" ]; then
    echo "$(basename "$0"): building first (some minutes) ..." >&2
    "$root/scripts/build" >&2 || { echo "$(basename "$0"): the build failed" >&2; exit 1; }
  fi
fi
