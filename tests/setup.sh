# Read by tests/run, tests/demo and tests/fuzz/run: what they need on the machine, and the build.

BUILD_PACKAGES="gcc g++ meson ninja-build pkg-config python3 libevent-dev libjansson-dev
libcurl4-openssl-dev libinih-dev libsqlite3-dev libssl-dev libexpat1-dev"
TEST_PACKAGES="libcmocka-dev python3-botocore nodejs npm openjdk-17-jre-headless faketime openssl
clang"
FUZZ_PACKAGES="libclang-rt-14-dev"

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# What a missing program would have come from may be there by other means (node from elsewhere).
has_package() {
	case $1 in
	nodejs) command -v node >/dev/null ;;
	npm) command -v npm >/dev/null ;;
	*) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok' ;;
	esac
}

setup_packages() {
	missing=
	for package in "$@"; do
		has_package "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "installing$missing"
	as_root apt-get update -q
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive as_root apt-get install -q -y --no-install-recommends $missing
}

setup_npm() {
	if ! cmp -s tests/package-lock.json tests/node_modules/.fetched; then
		(cd tests && npm ci --no-audit --no-fund)
		cp tests/package-lock.json tests/node_modules/.fetched
	fi
}

# setup_build DIRECTORY TARGET [MESON OPTION..]
setup_build() {
	directory=$1
	target=$2
	shift 2
	if [ ! -f "$directory/build.ninja" ]; then
		meson setup "$directory" "$@"
	fi
	ninja -C "$directory" "$target"
}
