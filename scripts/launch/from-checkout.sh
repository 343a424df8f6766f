# Runs a program of a distribution from a checkout; builds first when the distribution is missing.
# Expects $root, $module and $program; leaves the distribution in $dist.
dist=$root/$module/target/dist/$program
if [ ! -x "$dist/bin/$program" ]; then
  echo "$(basename "$0"): building first (some minutes) ..." >&2
  "$root/scripts/build" >&2 || { echo "$(basename "$0"): the build failed" >&2; exit 1; }
fi
