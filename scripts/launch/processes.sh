# shellcheck shell=bash
# For scripts that run a coordinator and agents as processes of this machine. Expects $root, $self (the script's name, for what it
# says), $dir, and $secure, empty for servers without certificates. Each has a folder $dir/NAME: its options in args, one a line,
# its HTTP port in ports, what it says in log, and while it runs pid and started. give_up also needs $members, and $kept and $made of
# remember. A script defines forget, and may have its own where and filled.

# Who the caller is to another cluster is of no meaning here, and would reach the servers.
unset FERRY_TLS_CERT FERRY_TLS_KEY FERRY_TLS_CA FERRY_CONTEXT

die() { echo "$self: $1" >&2; exit "${2:-1}"; } # MESSAGE [CODE]

# Sets $on to the words that run a command where a process is. A script whose processes are elsewhere has its own.
where() { on=(); } # NAME

host_name() { printf 'host-%b' "\\x$(printf %x $((96 + $1)))"; }
names() { local each; for each in coordinator host-{a..z}; do if [ -f "$dir/$each/args" ]; then echo "$each"; fi; done; }
is_number() { [[ $1 =~ ^(0|[1-9][0-9]{0,5})$ ]]; }

# The pid of a process that is still the one that was started, not a later one with its number.
pid_of() {
  local pid
  local -a fields # of proc_pid_stat(5), from the third on: the state, ..., when it was started
  pid=$(cat "$dir/$1/pid" 2>/dev/null) || return 1
  read -r -a fields < <(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || return 1
  [ "${fields[0]}" != Z ] && [ "${fields[19]}" = "$(cat "$dir/$1/started" 2>/dev/null)" ] || return 1
  echo "$pid"
}

http_port() { sed -n 's/^http=//p' "$dir/$1/ports"; }

# Whether it is this process that listens on a TCP port: another cluster may answer there.
listens() { # PID PORT
  local inode
  while read -r inode; do
    [ -n "$(find "/proc/$1/fd" -lname "socket:\[$inode\]" 2>/dev/null)" ] && return 0
  done < <(awk -v port="$(printf ':%04X' "$2")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' \
    "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null)
  return 1
}

# What a server answers to the question whether it is ready; nothing if it cannot be asked.
ask_ready() { # PORT
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 0
  printf 'GET /health/ready HTTP/1.0\r\n\r\n' >&3
  timeout 2 cat <&3 || true
}

is_ready() {
  local pid port answer
  local -a on
  pid=$(pid_of "$1") || return 1
  port=$(http_port "$1")
  listens "$pid" "$port" || return 1
  where "$1"
  answer=$("${on[@]}" bash -c "$(declare -f ask_ready); ask_ready $port")
  case $answer in
    "HTTP/1."?" 200"*) return 0 ;;
    # Nothing that waiting would end: an operator has to put the records right.
    *"went back in time"*) echo "$self: $1 runs, and is not ready: ${answer##*$'\n'}" >&2; return 0 ;;
    *) return 1 ;;
  esac
}

launch() { # NAME
  local program=ferry-agent module=agent start=''
  # shellcheck disable=SC2034 # The next line reads it.
  [ "$1" = coordinator ] && program=ferry-coordinator module=coordinator/server
  # shellcheck source=launch/from-checkout.sh
  . "$root/scripts/launch/from-checkout.sh"
  local -a args on
  mapfile -t args <"$dir/$1/args"
  where "$1"
  nohup "${on[@]}" "$start" "${args[@]}" >>"$dir/$1/log" 2>&1 </dev/null &
  local pid=$!
  echo "$pid" >"$dir/$1/pid"
  sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20 >"$dir/$1/started"
}

need_alive() { # NAME
  pid_of "$1" >/dev/null && return
  tail -n 3 "$dir/$1/log" >&2
  die "$1 ended while it started; see $dir/$1/log"
}

await_ready() { # NAME
  local end=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$end" ]; do
    need_alive "$1"
    is_ready "$1" && return 0
    sleep 0.1
  done
  die "$1 was not ready after 60 s; see $dir/$1/log"
}

stop() { # NAME
  local pid i
  pid=$(pid_of "$1") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  for i in $(seq 300); do
    pid_of "$1" >/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
}

# The options of a server by which it is a member; HTTP stays plain, on loopback.
member() { # ROLE NAME
  [ -n "$secure" ] || return 0
  printf '%s\n' --tls-cert "$dir/pki/$1/$2.crt" --tls-key "$dir/pki/$1/$2.key" --tls-ca "$dir/pki/ca.crt" --http-plain true
}

# One authority and all certificates, anew for each cluster.
certify() { # CLUSTER HOST...
  rm -rf "$dir/pki"
  [ -n "$secure" ] || return 0
  local each
  local -a named=()
  for each in "${@:2}"; do named+=(--host "$each"); done
  "$root/scripts/ferry" -q cert init --cluster "$1" --dir "$dir/pki" --coordinator-name coordinator --operator operator \
    "${named[@]}" >/dev/null
}

# What an 'up' of these programs writes; .demo is the mark by which a demo may delete the directory, and goes.
written() { # NAME...
  printf '%s\n' settings .demo
  local each
  for each in "$@"; do printf '%s\n' "$each"/{args,pid,started,ports}; done
}

# The folders that they fill.
filled() { printf '%s\n' run storage pki coordinator/data "${@/%//storage}"; } # NAME...

# Keeps what an 'up' of these programs overwrites, and notes which folders are not there yet.
remember() { # NAME...
  local each
  kept=$(mktemp) made=()
  for each in $(written "$@"); do if [ -f "$dir/$each" ]; then echo "$each"; fi; done | tar -C "$dir" -cf "$kept" -T -
  for each in $(filled "$@"); do [ -e "$dir/$each" ] || made+=("$each"); done
}

# However a start ends that does not come to its end, nothing of it goes on. What an earlier cluster left (a machine that was
# switched off) stays: its settings as they were, its records, its disks. Logs stay too: they say why. The script's 'forget'
# takes back what it did elsewhere.
give_up() { # of $members
  local each
  for each in "${members[@]}"; do stop "$each" & done; wait
  for each in $(written "${members[@]}"); do rm -f "$dir/$each"; done
  forget
  for each in "${made[@]}"; do rm -rf "${dir:?}/$each"; done
  tar -C "$dir" -xf "$kept"
  rm -f "$kept"
  echo "$self: the cluster did not start; what had started was stopped, logs are in $dir" >&2
}
