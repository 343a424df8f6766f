# Sets $training to what the JVM learned in a training (classes as they are linked, how often methods run), or to nothing.
# Expects $here, $jar and $java_version. scripts/train makes it; a start without it is only slower. See
# docs/decisions/0021-servers-are-trained.md.
training=${jar##*/}
training=$here/training/${training%-[0-9]*}-$java_version.aot
# A build gives all jars one time, that of its version; the folder has that of the build.
# shellcheck disable=SC3013 # All shells that serve as sh have it.
[ "$training" -nt "$here/lib" ] || training=
