#!/bin/sh
# The parent of one QEMU for as long as that lives, whatever becomes of the agent. The agent has the other end of the pipe
# "leash". Once nobody has had it for 4 s, QEMU is stopped: its VM may be started elsewhere soon. After so many seconds it is ended,
# and its memory is given back. QEMU ends with this process, too, however that ends.
#
# An agent that has just come says "here", and QEMU waits until it knows that the VM is its own, and says "go". With "end" it is
# over.
#
# Meanwhile this process has a file on shared storage locked, so that hosts which share it see that the machine is kept, and do not
# start its VM elsewhere. The machine has no effects without an agent: the lock keeps it for its next one, and nothing is lost without.
#
# sh keep DIRECTORY SECONDS LOCK|- QEMU ARGUMENT...
directory=$1
patience=$2
lock=$3
shift 3
trap '' HUP INT QUIT TERM
mkfifo -m 600 "$directory/leash" || exit 1
# For a moment both ends are open here: else this would wait for the agent, and be there for ever if that ended now.
exec 4<>"$directory/leash" 3<"$directory/leash" 4>&-
# Whatever becomes of the file, the machine runs. One that went before may still have it for a moment, and removes it then: a lock of
# a file without a name is seen by nobody.
locked() {
  true >>"$lock" || return 1
  exec 9>>"$lock"
  flock --exclusive --wait 2 9 && [ "/proc/$$/fd/9" -ef "$lock" ]
}
[ "$lock" = - ] || locked || locked || echo "$lock is not locked: other hosts do not see that this machine is kept" >&2
# What the agent has for --uplink is not for guests.
drop=''
grep -q '^CapAmb:[[:space:]]*0*$' /proc/self/status 2>/dev/null || drop='--inh-caps=-net_raw --ambient-caps=-net_raw'
# If this process ends before that is set, nobody tells QEMU any more: so it is not begun then.
# shellcheck disable=SC2016,SC2086 # the inner shell replaces these; options are words
setpriv --pdeathsig KILL $drop -- sh -c '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"' sh "$$" "$@" 3<&- 9>&- </dev/null &
qemu=$!
echo "$$ $qemu" >"$directory/pids.new" && mv "$directory/pids.new" "$directory/pids"
# Less than nothing: the agent that starts QEMU takes a moment until it has its end. That is looked for often, so that what it says is
# done at once: a "go" that was read a second later would end a stop that came in between.
away=-400
while kill -0 "$qemu" 2>/dev/null; do
  # Waits while somebody has the other end, and fails at once while nobody has.
  if read -r word <&3; then
    away=0
    case $word in
      here) kill -STOP "$qemu" ;;
      go) kill -CONT "$qemu" ;;
      *) break ;;
    esac
  elif [ "$away" -lt 0 ]; then
    sleep 0.05 9>&-
    away=$((away + 1))
  elif [ "$away" -lt "$patience" ]; then
    sleep 1 9>&-
    away=$((away + 1))
    [ "$away" -ne 4 ] || kill -STOP "$qemu"
  else
    rm -f "$directory/ram"
    echo "no agent of this host was there for $patience s"
    break
  fi
done
kill -KILL "$qemu" 2>/dev/null
wait "$qemu"
code=$?
# The directory may be gone by now.
{ echo "$code" >"$directory/ended"; } 2>/dev/null
[ "$lock" = - ] || rm -f "$lock"
exit "$code"
