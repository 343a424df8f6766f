# Sets $java to a Java 25: FERRY_JAVA_HOME, JAVA_HOME, the PATH, then the usual folders.
java=
for candidate in "${FERRY_JAVA_HOME:-}" "${JAVA_HOME:-}" "$(command -v java >/dev/null 2>&1 && dirname "$(dirname "$(readlink -f "$(command -v java)")")")" \
  /usr/lib/jvm/*25* /usr/java/*25* /opt/java/*25* "$HOME"/.sdkman/candidates/java/25* "$HOME"/.jdks/*25*; do
  if [ -x "$candidate/bin/java" ] && grep -q '^JAVA_VERSION="25' "$candidate/release" 2>/dev/null; then
    java=$candidate/bin/java
    break
  fi
done
if [ -z "$java" ]; then
  echo "$(basename "$0"): no JDK 25 found; install one or set FERRY_JAVA_HOME" >&2
  exit 1
fi
