# shellcheck shell=bash
# For scripts/lab: machines that are small Debians of their own (scripts/debian-root --boots) with systemd, each in namespaces of its own
# beside that of its network. Expects what machines.sh does, and in $base that Debian. What a machine changes is kept in $dir/MACHINE/changes,
# across a power cut, too; while it runs $dir/MACHINE/init has the process id of its systemd, and when that was started.

# Control groups that the machine's systemd manages: in version 2 alone, or the version 2 that is mounted beside version 1.
control_groups() { # NAMESPACE
  local each
  for each in /sys/fs/cgroup{,/unified,/systemd}; do if [ -f "$each/cgroup.procs" ]; then echo "$each/$1"; fi; done
}

init_of() { # MACHINE
  local pid started
  local -a fields
  read -r pid started 2>/dev/null <"$dir/$1/init" || return 1
  read -r -a fields < <(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || return 1
  [ "${fields[0]}" != Z ] && [ "${fields[19]}" = "$started" ] || return 1
  echo "$pid"
}

is_debian() { [ -d "$dir/$1/changes" ]; } # MACHINE

# Sets $on to the words that run a command in a machine that runs.
inside_debian() { # MACHINE
  local init
  init=$(init_of "$1") || die "$1 is off; 'start $1'"
  on=(nsenter --target "$init" --mount --pid --net --uts --ipc --cgroup --root -- env -i -C / HOME=/root LANG=C.UTF-8
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin" "TERM=${TERM:-dumb}")
}

# Prepares machines for their first boot: names of all in /etc/hosts.
furnish() { # MACHINE...
  local each hosts='127.0.0.1 localhost'
  mkdir -p "$dir/shared"
  for each in "$@"; do hosts+=$'\n'"$(management_of "$each") $each"; done
  for each in "$@"; do
    mkdir -p "$dir/$each"/{changes/etc,work,root}
    echo "$hosts" >"$dir/$each/changes/etc/hosts"
    echo "$each" >"$dir/$each/changes/etc/hostname"
  done
}

# Root of each may enter the others by ssh.
acquaint() { # MACHINE...
  local -a on first
  inside_debian "$1"
  first=("${on[@]}")
  must "${first[@]}" sh -euc 'mkdir -p -m 700 /root/.ssh; cd /root/.ssh
    ssh-keygen -q -t ed25519 -N "" -C lab -f id_ed25519 </dev/null
    cp id_ed25519.pub authorized_keys
    printf "StrictHostKeyChecking accept-new\nLogLevel ERROR\n" >config'
  while [ $# -gt 1 ]; do
    shift
    inside_debian "$1"
    "${first[@]}" tar -C /root -c .ssh | "${on[@]}" tar -C /root -x
  done
}

forget_debian() { rm -rf "${dir:?}/$1"/{changes,work,root,boot_id,init}; } # MACHINE

management_of() { ip -n "$(namespace_of "$1")" -o -4 addr show dev management | sed 's/.* inet \([^/]*\).*/\1/'; } # MACHINE

boot() { # MACHINE
  local ns group init state i
  local -a on groups
  ns=$(namespace_of "$1")
  mapfile -t groups < <(control_groups "$ns")
  for group in "${groups[@]}"; do mkdir -p "$group"; done
  (
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
    exec nohup setsid nsenter --net="$namespaces/$ns" unshare --mount --pid --uts --ipc --cgroup --fork --kill-child \
      bash -euc "$(declare -f power_on); power_on \"\$@\"" power_on "$base" "$dir/$1" "$dir/shared" "$1" >"$dir/$1/console" 2>&1 </dev/null
  ) &
  for i in $(seq 600); do
    # unshare's child is bash first; it is the machine's systemd once it has that command line.
    init=$(first_process "$ns")
    if [ -n "$init" ]; then
      echo "$init $(sed 's/.*) //' "/proc/$init/stat" | cut -d' ' -f20)" >"$dir/$1/init"
      break
    fi
    kill -0 $! 2>/dev/null || die "$1 does not boot: $(grep -m 1 . "$dir/$1/console")"
    sleep 0.1
  done
  inside_debian "$1"
  for i in $(seq 600); do
    state=$("${on[@]}" systemctl is-system-running 2>&1) || true
    case $state in
      running) return ;;
      degraded) echo "lab: $1: $("${on[@]}" systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\n' ' ')failed" >&2; return ;;
    esac
    sleep 0.1
  done
  die "$1 has not booted after 60 s: it is '$state'; see $dir/$1/console"
}

# Runs as the first process of the machine, with namespaces of its own; becomes its systemd.
power_on() { # BASE FOLDER SHARED NAME
  local base=$1 folder=$2 at=$2/root each
  mount --make-rprivate /
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/changes,workdir=$folder/work" "$at"
  mount -t proc proc "$at/proc"
  # The kernel's settings are those of the machine outside.
  mount --bind "$at/proc/sys" "$at/proc/sys"
  mount -o remount,bind,ro "$at/proc/sys"
  # Each boot has an id of its own, as on a real machine: agents and leases tell by it that nothing of the boot before is left.
  cat /proc/sys/kernel/random/uuid >"$folder/boot_id"
  mount --bind "$folder/boot_id" "$at/proc/sys/kernel/random/boot_id"
  mount -t sysfs -o ro sysfs "$at/sys"
  if [ -f /sys/fs/cgroup/cgroup.procs ]; then
    mount -t cgroup2 cgroup2 "$at/sys/fs/cgroup"
  else
    mount -t tmpfs -o mode=755 cgroup "$at/sys/fs/cgroup"
    mkdir "$at/sys/fs/cgroup/systemd" "$at/sys/fs/cgroup/unified"
    mount -t cgroup -o none,name=systemd cgroup "$at/sys/fs/cgroup/systemd"
    mount -t cgroup2 cgroup2 "$at/sys/fs/cgroup/unified"
    # So that its systemd does not mount what counts for the machine outside.
    mount -o remount,ro "$at/sys/fs/cgroup"
  fi
  mount -t tmpfs -o mode=755 run "$at/run"
  mount -t tmpfs -o mode=1777 tmp "$at/tmp"
  mount -t tmpfs -o mode=755 dev "$at/dev"
  for each in null zero full random urandom tty; do touch "$at/dev/$each"; mount --bind "/dev/$each" "$at/dev/$each"; done
  mkdir "$at"/dev/{pts,shm}
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$at/dev/pts"
  ln -s pts/ptmx "$at/dev/ptmx"
  mount -t tmpfs -o mode=1777 shm "$at/dev/shm"
  ln -s /proc/self/fd "$at/dev/fd"
  mkdir -p "$at/mnt/lab"
  mount --bind "$3" "$at/mnt/lab"
  hostname "$4"
  # systemd takes itself for an lxc container, which has all capabilities, and leaves alone what belongs to the kernel outside.
  exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$at" /lib/systemd/systemd --log-target=console
}

first_process() { # NAMESPACE
  local each
  for each in $(ip netns pids "$1"); do
    if grep -sqxz /lib/systemd/systemd "/proc/$each/cmdline"; then echo "$each"; return; fi
  done
}

# As when the power is cut: nothing ends by itself.
power_off() { # MACHINE
  local init i
  init=$(init_of "$1") || return 0
  kill -KILL "$init"
  for i in $(seq 200); do init_of "$1" >/dev/null || break; sleep 0.05; done
  rm -f "$dir/$1/init"
}

remove_control_groups() { # NAMESPACE
  local group
  for group in $(control_groups "$1"); do [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}
