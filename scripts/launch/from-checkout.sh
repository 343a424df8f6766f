# Runs a program of the distribution from a checkout; builds first when the distribution is missing.
# Expects $root and $module; leaves the distribution in $dist.
dist=$root/$module/target/dist/ferry-$module
if [ ! -x "$dist/bin/ferry-$module" ]; then
  echo "$(basename "$0"): building first (about a minute) ..." >&2
  (cd "$root" && mvn -B -q -DskipTests package) >&2 || { echo "$(basename "$0"): the build failed" >&2; exit 1; }
fi
