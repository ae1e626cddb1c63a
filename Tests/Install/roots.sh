#!/usr/bin/env bash
# What clean_root and other_pythons share: a root of Debian's packages under $cache, a copy of it for each run, and checks in there.
# Sourced in the folder of the checkout.
: "${cache:?}"
models=$PWD/Examples/models
checks=0 failed=0

# Debian's packages of this machine that a check needs.
need() {
  local package missing=()
  for package in "$@"; do [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == *"ok installed" ]] || missing+=("$package"); done
  ((${#missing[@]} == 0)) || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; }
}

# Where the packages of this machine come from.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1 | sed 's,/*$,,'; }

# Each run has a copy, so that none finds what another left.
copy_root() {
  root=$(mktemp -d -p "$cache")
  trap 'rm -rf "$root"' EXIT
  chmod 755 "$root"
  cp -a "$cache/root/." "$root" && mkdir "$root/work" &&
    cp "$models"/rally-tiny.onnx "$models"/rally-rater-tiny.onnx Examples/texts.jsonl Tests/Install/smoke.py "$root/work"
}

inside() { env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 chroot "$root" "$@"; }

check() {  # check "what holds" command...
  local what=$1 text
  shift
  checks=$((checks + 1))
  if text=$("$@" 2>&1); then echo "  $what"; else failed=$((failed + 1)); printf '  DOES NOT HOLD: %s\n%s\n' "$what" "$(tail -15 <<<"$text")" >&2; fi
}

is_bare() {
  local name
  for name in swift cc gcc clang; do ! inside sh -c "command -v $name" || return 1; done
  [[ -z $(find "$root/usr" -name 'libonnx*' -o -name 'libprotobuf*' -o -name 'libswift*' -o -name 'libhwy*' -o -name 'libboost*') ]]
}

installs_wheel() {  # installs_wheel PYTHON FOLDER: into a new environment, from what lies in a folder of the root
  inside rm -rf /work/venv && inside "$1" -m venv /work/venv &&
    inside /work/venv/bin/python -m pip install -q --disable-pip-version-check --no-index --find-links "$2" rally-runtime
}
runs_python() { inside /work/venv/bin/python -W error /work/smoke.py /work; }
