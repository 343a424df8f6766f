# shellcheck shell=bash
# For scripts/lab: machines that are network namespaces, with cards on the bridges of one more, the switch. Expects $self, $dir and
# $name, with which their names begin. Which ones are of this lab is in $dir/MACHINE/namespace: name, inode, boot.

namespaces=/var/run/netns # where ip-netns(8) has them
tmpfs=/dev/shm            # where the memory of machines of QEMU is
cards=(management migration)

# Runs a command that says nothing, and dies with what it says.
must() { # COMMAND...
  local said
  said=$("$@" 2>&1) || die "'$*' failed: $(tr '\n' ' ' <<<"$said")"
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# The namespace of a machine, if it is there and still the one that was made.
namespace_of() { # MACHINE
  local ns inode boot
  [ -f "$dir/$1/namespace" ] && read -r ns inode boot <"$dir/$1/namespace" || return 1
  [ "$boot" = "$(boot_id)" ] && [ -e "$namespaces/$ns" ] || return 1
  # There is no inode yet if 'up' was killed while it made the namespace.
  if [ "$inode" = - ]; then
    # Only one that is as it was made: by now it may be another lab's.
    if [ -n "$(ip netns pids "$ns")" ] || [ "$(ip -n "$ns" -o link show | wc -l)" -gt 1 ] || [ -e "$tmpfs/$ns" ]; then return 1; fi
  else
    [ "$inode" = "$(stat -Lc %i "$namespaces/$ns")" ] || return 1
  fi
  echo "$ns"
}

machines() { # that were made
  local each
  for each in "$dir"/*/namespace; do if [ -f "$each" ]; then each=${each%/namespace}; echo "${each##*/}"; fi; done
}

# The first name under which nothing is there.
choose_name() {
  local i
  for i in '' {2..999}; do
    name=lab$i
    [ -n "$(compgen -G "$namespaces/$name-*")$(compgen -G "$tmpfs/$name-*")" ] || return 0
  done
}

make_namespace() { # MACHINE
  local ns=$name-$1 each said
  for each in "$namespaces/$ns" "$tmpfs/$ns"; do
    [ ! -e "$each" ] || die "$each is there already, and not from $dir; take another --name"
  done
  mkdir -p "$dir/$1"
  echo "$ns - $(boot_id)" >"$dir/$1/namespace"
  if ! said=$(ip netns add "$ns" 2>&1); then
    rm -f "$dir/$1/namespace"
    rmdir "$dir/$1" 2>/dev/null || true
    die "no network namespace can be made here: $(tr '\n' ' ' <<<"$said")"
  fi
  echo "$ns $(stat -Lc %i "$namespaces/$ns") $(boot_id)" >"$dir/$1/namespace"
  must ip -n "$ns" link set dev lo up
  [ ! -d "$tmpfs" ] || mkdir -m 0700 "$tmpfs/$ns"
}

make_switch() {
  local each
  make_namespace switch
  # Ports and bridges send nothing of their own: that would reach a card whose cable is cut in one direction.
  # shellcheck disable=SC2016 # The inner shell's.
  ip netns exec "$name-switch" sh -c 'for each in all default; do
    ! [ -e "/proc/sys/net/ipv6/conf/$each/disable_ipv6" ] || echo 1 >"/proc/sys/net/ipv6/conf/$each/disable_ipv6"
  done'
  for each in "${cards[@]}"; do
    # Multicast goes where broadcasts go: else a port that nothing is flooded to gets what its groups are sent.
    must ip -n "$name-switch" link add name "$each" type bridge mcast_snooping 0
    must ip -n "$name-switch" link set dev "$each" up
  done
}

# The port of the switch where a machine's card is plugged in: 15 characters at most, so that a machine's name has 11.
port_of() { case $2 in management) echo "$1-mgt" ;; migration) echo "$1-mig" ;; esac; } # MACHINE CARD

plug() { # MACHINE CARD ADDRESS
  local port
  port=$(port_of "$1" "$2")
  must ip -n "$name-$1" link add name "$2" type veth peer name "$port" netns "$name-switch"
  must ip -n "$name-switch" link set dev "$port" master "$2" up
  must ip -n "$name-$1" addr add "$3/24" dev "$2"
  must ip -n "$name-$1" link set dev "$2" up
}

# Bits a second, of a rate as tc(8) has it.
bits_of() { # RATE
  local digits=${1%?bit}
  case $1 in *kbit) echo $((digits * 1000)) ;; *mbit) echo $((digits * 1000000)) ;; *gbit) echo $((digits * 1000000000)) ;; esac
}

is_rate() { # RATE
  [[ $1 =~ ^[1-9][0-9]{0,8}[kmg]bit$ ]] && [ "$(bits_of "$1")" -ge 64000 ] && [ "$(bits_of "$1")" -le 100000000000 ]
}

# At most that rate in both directions, each at the end that sends.
limit() { # MACHINE CARD RATE|off
  limit_end "$(namespace_of "$1")" "$2" "$3"
  limit_end "$(namespace_of switch)" "$(port_of "$1" "$2")" "$3"
}

limit_end() { # NAMESPACE DEVICE RATE|off
  local burst
  if [ "$3" = off ]; then
    if [ -n "$(rate_of "$1" "$2")" ]; then must tc -n "$1" qdisc del dev "$2" root; fi
    return
  fi
  # Less than two packets of 64 KiB would be cut up, which costs the processor more than it sends; less than what leaves in 5 ms
  # is too little for 10gbit where timers are late.
  burst=$(($(bits_of "$3") / 8 / 200))
  [ "$burst" -ge 131072 ] || burst=131072
  must tc -n "$1" qdisc replace dev "$2" root tbf rate "$3" burst "$burst" latency 20ms
}

rate_of() { tc -n "$1" qdisc show dev "$2" root | sed -n 's/^qdisc tbf .* rate \([^ ]*\) .*/\1/p'; } # NAMESPACE DEVICE

set_mtu() { # MACHINE CARD BYTES
  must ip -n "$(namespace_of switch)" link set dev "$(port_of "$1" "$2")" mtu "$3"
  must ip -n "$(namespace_of "$1")" link set dev "$2" mtu "$3"
}

# As a cable that is pulled: the switch's port has no link and forgets who was behind it, and the machine's card has no link, but
# keeps its addresses and routes. If the card itself were set down, the machine would lose its routes, and its programs would know.
# In one direction it is as with a broken wire of a cable: both ends have a link, and what is sent is lost at the switch. A port that
# is locked takes frames of nobody; one that has learned of nobody, and that nothing is flooded to, gets none.
cut_cable() { # MACHINE CARD [in|out]
  local port switch
  switch=$(namespace_of switch)
  port=$(port_of "$1" "$2")
  case ${3:-} in
    '') must ip -n "$switch" link set dev "$port" down; return ;;
    in) must bridge -n "$switch" link set dev "$port" learning off flood off mcast_flood off bcast_flood off ;;
    out) must bridge -n "$switch" link set dev "$port" learning off locked on ;;
  esac
  must ip -n "$switch" link set dev "$port" type bridge_slave fdb_flush
}

mend_cable() { # MACHINE CARD
  local port switch
  switch=$(namespace_of switch)
  port=$(port_of "$1" "$2")
  must bridge -n "$switch" link set dev "$port" learning on flood on mcast_flood on bcast_flood on locked off
  must ip -n "$switch" link set dev "$port" up
}

# What of a port is cut.
cut_of() { # SWITCH PORT
  local link
  link=$(bridge -n "$1" -d link show dev "$2")
  if [[ $link == *' flood off '* ]]; then echo ', cut in'; fi
  if [[ $link == *' locked on '* ]]; then echo ', cut out'; fi
}

# The cards of a machine, with what is unusual.
cards_of() { # MACHINE
  local ns switch card address link rate text
  ns=$(namespace_of "$1") && switch=$(namespace_of switch) || return 0
  while read -r _ card _ address _; do
    [ -n "$(port_of "$1" "$card")" ] || continue # What is not the lab's, such as a vxlan device.
    link=$(ip -n "$switch" -o link show dev "$(port_of "$1" "$card")")
    if [[ ! $link =~ [\<,]UP[,\>] ]]; then text=', cut'; else text=$(cut_of "$switch" "$(port_of "$1" "$card")" | tr -d '\n'); fi
    rate=$(rate_of "$switch" "$(port_of "$1" "$card")")
    text+=${rate:+, $rate}
    if [[ $link =~ \ mtu\ ([0-9]+) ]] && [ "${BASH_REMATCH[1]}" != 1500 ]; then text+=", mtu ${BASH_REMATCH[1]}"; fi
    printf '%s %s%s  ' "$card" "${address%/*}" "${text:+ (${text#, })}"
  done < <(ip -n "$ns" -o -4 addr show)
}

# Ends all that runs in a namespace. What does not end within two seconds is killed.
end_all() { # NAMESPACE SIGNAL
  local i signal=$2
  local -a pids
  for i in $(seq 200); do
    mapfile -t pids < <(ip netns pids "$1" 2>/dev/null)
    [ "${#pids[@]}" -gt 0 ] || return 0
    [ "$i" -le 40 ] || signal=KILL
    kill "-$signal" "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
  die "in $1 ${pids[*]} did not end on SIGKILL"
}

remove_machine() { # MACHINE
  local ns
  power_off "$1"
  if ns=$(namespace_of "$1"); then
    end_all "$ns" TERM
    rm -rf "${tmpfs:?}/${ns:?}"
    remove_control_groups "$ns"
    # Last: by it a 'down' that was killed is known not to be at its end.
    ip netns del "$ns"
  fi
  forget_debian "$1"
  rm -f "$dir/$1/namespace"
  rmdir "$dir/$1" 2>/dev/null || true
}

remove_machines() { local each; for each in $(machines); do remove_machine "$each"; done; }
