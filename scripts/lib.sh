# Finds or installs what mm1c is built with. Sourced by the scripts beside it.
#
# After `prepare`: cargo is on PATH, and the array FEATURES holds the cargo arguments that
# choose the back ends. With MM1C_LLVM=off LLVM is neither installed nor used.
# shellcheck shell=bash disable=SC2034 # the sourcing script reads the variables

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
llvm=${MLIR_SYS_220_PREFIX:-/usr/lib/llvm-22}
FEATURES=()

say() { printf 'mm1c: %s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# Whether packages can be installed here.
can_install() { have apt-get && { [ "$(id -u)" = 0 ] || have sudo; }; }

apt_updated=
apt_update() {
  [ -n "$apt_updated" ] && return
  say "reading the package lists (apt-get update)"
  as_root apt-get update -qq || return
  apt_updated=yes
}

apt_install() {
  apt_update || return
  say "installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# Whether apt knows a version of the package to install. The answer is read to its end: with
# `pipefail`, a reader that leaves early (grep -q) fails the writer and so the test.
apt_offers() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [^(]' >/dev/null; }

# Those of the given Debian packages that are not installed.
not_installed() {
  local package
  for package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

# ------------------------------------------------------------------------------------ compiler

need_c_compiler() {
  have cc && return
  can_install || die "a C compiler (cc) is missing: install gcc and g++, or the developer tools of this system"
  apt_install gcc g++ libc6-dev || die "could not install gcc"
}

rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml"; }

# Whether cargo is there and at least as new as the workspace asks.
have_rust() {
  have cargo || return
  local found
  found=$(cd "$root" && cargo --version 2>/dev/null | cut -d' ' -f2) && [ -n "$found" ] || return
  [ "$(printf '%s\n' "$(rust_version)" "$found" | sort -V | head -n1)" = "$(rust_version)" ]
}

# Prints what is at an address.
fetch() {
  if have curl; then
    curl --proto '=https' --tlsv1.2 -sSfL "$1"
  else
    wget -qO- "$1"
  fi
}

install_rustup() {
  if ! have curl && ! have wget; then
    can_install || die "Rust $(rust_version) is missing, and neither curl nor wget is there to fetch it"
    apt_install curl ca-certificates || die "could not install curl"
  fi
  say "installing Rust $(rust_version) for this user through rustup (rustup.rs)"
  local script
  # The second address serves the same script where the first is not reachable.
  script=$(fetch https://sh.rustup.rs 2>/dev/null || fetch https://static.rust-lang.org/rustup/rustup-init.sh) ||
    die "could not fetch rustup: install Rust $(rust_version) or later by hand"
  sh -s -- -y -q --no-modify-path --profile minimal -c rustfmt -c clippy \
    --default-toolchain "$(rust_version)" <<<"$script" >/dev/null ||
    die "rustup could not install Rust"
}

need_rust() {
  if ! have_rust && [ -x "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" ]; then
    PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
  fi
  have_rust && return
  if ! have rustup && can_install; then
    apt_update || true
    if apt_offers rustup; then apt_install rustup || true; fi
  fi
  if have rustup; then
    RUSTUP_TOOLCHAIN=$(rust_version)
    export RUSTUP_TOOLCHAIN
    have_rust && return
    say "installing Rust $RUSTUP_TOOLCHAIN through rustup"
    rustup toolchain install "$RUSTUP_TOOLCHAIN" --profile minimal --component rustfmt --component clippy
  else
    install_rustup
    PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
  fi
  have_rust || die "Rust $(rust_version) or later is needed; see rustup.rs"
}

# rustfmt and clippy, for the checks.
need_rust_tools() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  have rustup || die "rustfmt and clippy are missing: install them as this Rust toolchain was installed"
  say "adding rustfmt and clippy to the toolchain"
  rustup component add rustfmt clippy
}

# ---------------------------------------------------------------------------------------- LLVM

# LLVM and MLIR 22 with their C interface, libclang for the binding generator, and the
# libraries that the static archives refer to.
llvm_packages=(
  libmlir-22-dev mlir-22-tools llvm-22-dev libpolly-22-dev clang-22
  libzstd-dev zlib1g-dev libxml2-dev libz3-dev g++
)

have_llvm() {
  [ -x "$llvm/bin/llvm-config" ] && [ -e "$llvm/lib/libMLIRCAPIIR.a" ] || return
  # A prefix of the user's own choice is taken as complete.
  [ -n "${MLIR_SYS_220_PREFIX:-}" ] || ! have dpkg-query || [ -z "$(not_installed "${llvm_packages[@]}")" ]
}

os_release() (
  # shellcheck disable=SC1091
  . /etc/os-release && printf '%s' "${!1:-}"
)

# The address of the security suite: beside the mirror that this system already uses.
security_mirror() {
  local mirror
  mirror=$(grep -rhoE 'https?://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n1 | tr -d ' ')
  [ -n "$mirror" ] && echo "${mirror%/}-security"
}

add_security_suite() {
  local suite="$1-security" file=/etc/apt/sources.list.d/mm1c-security.list keyring mirror
  mirror=$(security_mirror) || return
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -e "$keyring" ] && keyring="[signed-by=$keyring] " || keyring=
  say "adding Debian's security suite ($suite) in $file: it carries LLVM 22"
  echo "deb $keyring$mirror $suite main" | as_root tee "$file" >/dev/null
  apt_updated=
  apt_update
}

add_llvm_archive() {
  local codename=$1 key=/usr/share/keyrings/apt.llvm.org.asc text
  local file=/etc/apt/sources.list.d/mm1c-llvm.list
  have curl || have wget || apt_install curl ca-certificates || return
  text=$(fetch https://apt.llvm.org/llvm-snapshot.gpg.key) || return
  say "adding the LLVM project's archive for $codename in $file"
  as_root tee "$key" <<<"$text" >/dev/null || return
  echo "deb [signed-by=$key] https://apt.llvm.org/$codename/ llvm-toolchain-$codename-22 main" |
    as_root tee "$file" >/dev/null || return
  apt_updated=
  apt_update && apt_offers libmlir-22-dev && return
  # A release that the archive does not serve must not stay in apt's way.
  as_root rm -f "$file" "$key"
  return 1
}

install_llvm() {
  local codename missing
  codename=$(os_release VERSION_CODENAME)
  apt_update || return
  if ! apt_offers libmlir-22-dev && [ "$(os_release ID)" = debian ]; then
    add_security_suite "$codename" || true
  fi
  apt_offers libmlir-22-dev || add_llvm_archive "$codename" || return
  mapfile -t missing < <(not_installed "${llvm_packages[@]}")
  say "LLVM and MLIR 22 take about 1.4 GB under $llvm"
  apt_install "${missing[@]}"
}

without_llvm() {
  say "$1"
  say "building without LLVM: everything runs through Cranelift, slower (MM1C_LLVM=off says so for good)"
  FEATURES=(--no-default-features)
}

need_llvm() {
  if [ "${MM1C_LLVM:-on}" = off ]; then
    FEATURES=(--no-default-features)
  elif have_llvm; then
    :
  elif ! can_install; then
    without_llvm "LLVM and MLIR 22 with headers and static libraries are missing: install them (on Debian and Ubuntu: ${llvm_packages[*]}) and set MLIR_SYS_220_PREFIX and TABLEGEN_220_PREFIX to their prefix"
  elif ! { install_llvm && have_llvm; }; then
    without_llvm "LLVM and MLIR 22 could not be installed"
  fi
}

prepare() {
  need_c_compiler
  need_rust
  need_llvm
}

# --------------------------------------------------------------------------------------- ptxas

# NVIDIA's assembler as a Python package carries it, for x86-64 Linux.
ptxas_wheel=nvidia_cuda_nvcc-13.5.37-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
ptxas_sum=f5c4f7ead5d964fb4af42bbf1e6d3ec3c1e6e9d83b53749f691d387e7fcaa3a7

# Fetches the package into a folder: by pip, which knows this machine's index, or from the index.
fetch_ptxas() {
  local index=${PIP_INDEX_URL:-https://pypi.org/simple} page link
  if python3 -m pip --version >/dev/null 2>&1 &&
    python3 -m pip download --quiet --no-deps --only-binary :all: --platform manylinux_2_17_x86_64 \
      -d "$1" nvidia-cuda-nvcc==13.5.37 >&2; then
    return
  fi
  page=${index%/}/nvidia-cuda-nvcc/
  link=$(fetch "$page" | grep -oE "href=\"[^\"#]*$ptxas_wheel" | head -n1 | cut -d'"' -f2) && [ -n "$link" ] || return
  case $link in
    http*) ;;
    /*) link=$(printf '%s' "$page" | cut -d/ -f1-3)$link ;;
    *) link=$page$link ;;
  esac
  fetch "$link" >"$1/$ptxas_wheel"
}

# Unpacks one file of a zip archive to standard output.
unzip_one() {
  if have unzip; then
    unzip -p "$1" "$2"
  elif have python3; then
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$1" "$2"
  else
    can_install && apt_install unzip && unzip -p "$1" "$2"
  fi
}

# After it, `ptxas` is the assembler: MM1C_PTXAS, or the pinned one. Fails where there is none.
need_ptxas() {
  ptxas=${MM1C_PTXAS:-$target/ptxas-13.5.37}
  [ -x "$ptxas" ] && return
  [ -z "${MM1C_PTXAS:-}" ] && [ "$(uname -sm)" = "Linux x86_64" ] || return
  local folder found
  folder=$(mktemp -d)
  say "fetching ptxas 13.5.37 (47 MB)"
  if fetch_ptxas "$folder"; then
    found=$(sha256sum "$folder/$ptxas_wheel" | cut -d' ' -f1)
    if [ "$found" != "$ptxas_sum" ]; then
      say "the package of ptxas has hash $found, not $ptxas_sum"
    elif mkdir -p "$target" && unzip_one "$folder/$ptxas_wheel" nvidia/cu13/bin/ptxas >"$folder/ptxas"; then
      chmod +x "$folder/ptxas"
      mv "$folder/ptxas" "$ptxas"
    fi
  fi
  rm -rf "$folder"
  [ -x "$ptxas" ]
}
