# Sets $java to a Java 25, and $java_version to its version: FERRY_JAVA_HOME, the runtime of a package beside the program in $here,
# JAVA_HOME, the PATH, then the usual folders.
java='' java_version=''

# Without other programs: a short command is not to wait for them.
try_java() { # HOME
  [ -x "$1/bin/java" ] && [ -r "$1/release" ] || return 1
  while IFS='"' read -r key value _; do
    # shellcheck disable=SC2034 # start-cache.sh names archives by the version.
    case $key$value in
      JAVA_VERSION=25*) java=$1/bin/java java_version=$value && return 0 ;;
    esac
  done <"$1/release"
  return 1
}

find_java() {
  try_java "${FERRY_JAVA_HOME:-}" || try_java "${here:+$here/../runtime}" || try_java "${JAVA_HOME:-}" && return
  found=$(command -v java) && try_java "$(dirname "$(dirname "$(readlink -f "$found")")")" && return
  for candidate in /usr/lib/jvm/*25* /usr/java/*25* /opt/java/*25* "${HOME:-}"/.sdkman/candidates/java/25* "${HOME:-}"/.jdks/*25*; do
    try_java "$candidate" && return
  done
  return 1
}

find_java || {
  echo "$(basename "$0"): no JDK 25 found; install one or set FERRY_JAVA_HOME" >&2
  exit 1
}
