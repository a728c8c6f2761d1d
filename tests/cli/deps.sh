#!/bin/sh
# make deps as root, through sudo and with neither; on made-up machines, so nothing is installed.
. "$(dirname "$0")/../lib/tap.inc"

# A PATH with stand-ins: what they are called with goes to log.  id says who we are, and
# dpkg-query knows the packages named in `installed`.
mkdir bin
for tool in sh env cat grep; do ln -s "$(command -v $tool)" bin/$tool; done
stand_in() { printf '#!/bin/sh\n%s\n' "$2" > bin/"$1" && chmod +x bin/"$1"; }
stand_in dpkg-query 'for p; do :; done; grep -qx "$p" installed && echo installed || exit 1'
stand_in id 'cat who'
stand_in apt-get 'echo "apt-get $* ${DEBIAN_FRONTEND:-}" >> log'
printf 'zlib1g-dev\nlibsixel-dev\n' > installed

run_deps() { : > log; PATH=$WORK/bin "$root/tests/deps.sh" "$@" > out.txt 2> err.txt < /dev/null; }

echo 1000 > who
run_deps zlib1g-dev libsixel-dev
says nothing_is_done_when_all_is_there "$([ $? = 0 ] && [ ! -s log ] && [ ! -s out.txt ] && echo 0 || echo 1)" "$(cat out.txt err.txt log)"
run_deps zlib1g-dev libstb-dev
[ $? = 1 ] && [ ! -s log ] && grep -q 'apt-get install -y --no-install-recommends libstb-dev' err.txt && ! grep -q zlib1g err.txt
says a_user_without_sudo_is_told_the_line $? "$(cat out.txt err.txt log)"
stand_in sudo '[ "$1" = -n ] && exit 1; echo "sudo $*" >> log; "$@"'
run_deps libstb-dev
[ $? = 1 ] && [ ! -s log ]
says sudo_that_would_ask_is_not_waited_for $? "$(cat out.txt err.txt log)"
stand_in sudo '[ "$1" = -n ] && shift; echo "sudo $*" >> log; "$@"'
run_deps libstb-dev libcmocka-dev
[ $? = 0 ] && grep -q '^sudo apt-get update' log && grep -q '^apt-get install -y --no-install-recommends libstb-dev libcmocka-dev noninteractive' log
says a_user_with_sudo_installs_through_it $? "$(cat out.txt err.txt log)"
echo 0 > who
rm bin/sudo
run_deps libstb-dev
[ $? = 0 ] && head -n 1 log | grep -q '^apt-get update' && grep -q '^apt-get install .*libstb-dev noninteractive' log
says root_installs_after_an_update $? "$(cat out.txt err.txt log)"
stand_in apt-get 'exit 100'
run_deps libstb-dev
[ $? != 0 ]
says a_failed_apt_is_a_failure $?

# Plain make says what to do, and never talks to apt.
make -C "$root" -n PKG_CONFIG_PATH= all > out.txt 2>&1 < /dev/null && ! grep -q apt-get out.txt
says plain_make_never_runs_apt $? "$(tail -n 3 out.txt)"
PKG_CONFIG_LIBDIR=/nonexistent PKG_CONFIG_PATH='' make -C "$root" > out.txt 2>&1 < /dev/null
[ $? != 0 ] && grep -q 'run `make deps`' out.txt
says missing_packages_name_make_deps $? "$(cat out.txt)"
PKG_CONFIG_LIBDIR=/nonexistent PKG_CONFIG_PATH='' make -C "$root" -n uninstall > out.txt 2>&1 < /dev/null
says uninstall_needs_no_packages $? "$(cat out.txt)"
finish
