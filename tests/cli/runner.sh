#!/bin/sh
# tests/run itself: what passes, fails, dies, hangs or says nothing is counted as such.
. "$(dirname "$0")/../lib/tap.inc"

try() {   # NAME STATUS LAST-LINE SCRIPT...: a tree with these tests, each a shell script's text
    name=$1 want=$2 last=$3
    shift 3
    rm -rf tree && mkdir -p tree/tests/cli tree/out && cp "$root/tests/run" tree/tests/run
    n=0
    for text; do
        n=$((n + 1))
        printf '#!/bin/sh\n%s\n' "$text" > tree/tests/cli/t$n.sh && chmod +x tree/tests/cli/t$n.sh
    done
    LIMIT=$limit tree/tests/run tree/out > out.txt 2>&1
    got=$?
    [ $got = "$want" ] && [ "$(tail -n 1 out.txt)" = "$last" ]
    says "$name" $? "exit status $got: $(cat out.txt)"
}
limit=60
try passes_are_counted 0 "3 passed, 0 failed" 'echo ok one; echo ok two' 'echo ok three'
try a_failure_is_a_failure 1 "1 passed, 1 failed" 'echo ok one; echo not ok two; exit 1'
try a_failure_that_exits_0_is_one_too 1 "1 passed, 1 failed" 'echo ok one; echo not ok two'
try a_death_after_passes_is_a_failure 1 "1 passed, 1 failed" 'echo ok one; kill -SEGV $$'
try silence_is_a_failure 1 "0 passed, 1 failed" 'exit 0'
limit=5
try a_hang_is_a_failure 1 "1 passed, 1 failed" 'echo ok one; sleep 60'
limit=60
try skips_are_counted_apart 0 "1 passed, 0 failed, 1 skipped" 'echo ok one; echo "ok two # SKIP no reason"'
try the_skips_of_cmocka_too 0 "1 passed, 0 failed, 1 skipped" 'echo ok one; echo "not ok 2 # SKIP two"'
try no_test_at_all_is_a_failure 1 "0 passed, 1 failed"
finish
