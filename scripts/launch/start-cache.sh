# Sets $cache to an archive of loaded classes that lets $jar start in half of the time, or to nothing.
# Expects $here, $jar, $java, $java_version and $flags. The archive is made once for each installation and Java, in the
# background of the first run, under $XDG_CACHE_HOME/ferry. Where that cannot be, the command starts without it.
# The JVM checks no content of an archive (-XX:+VerifySharedSpaces would, and read all of it at each start), and crashes in
# one that is damaged. It leaves its error file at $cache.crash then, and the next start makes the archive anew.
cache=

find_start_cache() {
  [ "${FERRY_START_CACHE:-on}" != off ] || return 0
  case ${XDG_CACHE_HOME:-} in
    /*) caches=$XDG_CACHE_HOME ;;
    *) caches=${HOME:+$HOME/.cache} ;; # Its specification has relative paths ignored.
  esac
  [ -n "$caches" ] || return 0
  caches=$caches/ferry
  archive=$caches$here/${jar##*/}-$java_version.jsa
  if [ -e "$archive.crash" ]; then
    rm -f "$archive" && mv -f "$archive.crash" "$caches/last-crash.log" || return 0
  fi 2>/dev/null
  # A build gives all jars one time, that of its version; the folder has that of the build.
  # shellcheck disable=SC3013 # All shells that serve as sh have it.
  if [ -s "$archive" ] && [ "$archive" -nt "$here/lib" ]; then
    cache=$archive
  else
    make_start_cache
  fi
}

# The folder "making" is the lock: one makes it, the others go on without. It stays after a failure (a full disk), so that
# not every run tries again, and counts for an hour.
make_start_cache() {
  making=$archive.making
  if [ -d "$making" ]; then
    [ -n "$(find "$making" -prune -mmin +60 2>/dev/null)" ] || return 0
    rm -rf "$making"
  fi
  mkdir -p "$caches$here" 2>/dev/null && mkdir "$making" 2>/dev/null || return 0
  fill_start_cache >/dev/null 2>&1 </dev/null &
}

fill_start_cache() {
  # shellcheck disable=SC2086 # Flags are words.
  if nice "$java" $flags "-XX:ArchiveClassesAtExit=$making/archive" -cp "$jar" dev.pageferry.ferry.StartTraining &&
    "$java" $flags -Xshare:on "-XX:SharedArchiveFile=$making/archive" -cp "$jar" dev.pageferry.ferry.Ferry --version &&
    mv -f "$making/archive" "$archive"; then
    rm -rf "$making"
    forget_old_caches
  else
    rm -f "$making/archive"
  fi
}

# Archives of versions that this installation no longer has, and of installations that are gone.
forget_old_caches() {
  find "$caches" -name '*.jsa' | while IFS= read -r old; do
    installation=${old%/*}
    installation=${installation#"$caches"}
    name=${old##*/}
    [ -e "$installation/lib/${name%.jar-*}.jar" ] || rm -f "$old" "$old.crash"
  done
}

find_start_cache
