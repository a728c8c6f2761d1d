#!/bin/bash
# headless.sh - the ranking in real terminals on a display without a screen: what xterm and
# mlterm show at the cells of each picture is compared with the item that `dtrak rank` names.
#
# Needs Xvfb, xterm and mlterm (make check-screens installs them); without them it is skipped.
# Xvfb keeps its picture in a file, and the terminals stand in its corner without a border,
# so that no other tool is needed.  Only processes started here are ended, by their numbers.
set -u
cd "$(dirname "$0")/../.." || exit 1
OUT=${OUT:-$PWD/build}
DTRAK=${DTRAK:-$OUT/dtrak}
WORK=${WORK:-$(mktemp -d)}
FONT=-misc-fixed-medium-r-normal--18-120-100-100-c-90-iso10646-1
export LC_ALL=C.UTF-8
unset TMUX STY TERM_PROGRAM COLORTERM LC_TERMINAL NO_COLOR DTRAK_PASSTHROUGH

server=
terminal=
trap '[ -z "$terminal" ] || kill "$terminal"; [ -z "$server" ] || kill "$server"' EXIT

for tool in Xvfb xterm mlterm; do
    command -v "$tool" > /dev/null || { echo "ok headless # SKIP no $tool: make check-screens installs it"; exit 0; }
done

wait_for() {   # SECONDS COMMAND...: until it succeeds
    local tries=$(($1 * 5))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}

start_server() {
    Xvfb -displayfd 3 -fbdir "$WORK" -screen 0 1700x1200x24 -nolisten tcp 3> "$WORK/display" > "$WORK/xvfb.log" 2>&1 &
    server=$!
    wait_for 30 test -s "$WORK/display" || return 1
    DISPLAY=:$(tr -d '\n' < "$WORK/display")
    export DISPLAY
}

# What runs in the terminal: what it can do, then the ranking.
cat > "$WORK/inside.sh" <<END
#!/bin/sh
"$DTRAK" probe --wait 5000 > "\$1.probe" 2> "\$1.err"
exec "$DTRAK" view "$WORK/demo.db" --query gen:0 --screen ranking --read-only --fresh 2>> "\$1.err"
END
chmod +x "$WORK/inside.sh"

start_terminal() {   # NAME
    case $1 in
    xterm) xterm -u8 -ti 340 -tn xterm-256color -fn "$FONT" -b 0 -bw 0 +sb -geometry 160x50+0+0 -xrm '*cursorBlink: false' \
               -xrm '*numColorRegisters: 256' -bg black -fg gray90 -e "$WORK/inside.sh" "$WORK/$1" > "$WORK/$1.log" 2>&1 & ;;
    mlterm) HOME=$WORK mlterm --sb=false -g 160x50+0+0 --bg black --fg white -e "$WORK/inside.sh" "$WORK/$1" > "$WORK/$1.log" 2>&1 & ;;
    esac
    terminal=$!
}

probed() { grep -q '^paints with' "$WORK/$1.probe" 2> /dev/null; }

shows() {   # NAME: every picture is right
    "$OUT/e2e/headless_compare" "$WORK/demo.db" "$WORK/Xvfb_screen0" "$WORK/$1.txt" "$cell" > "$WORK/$1.compare" 2>&1
}

# The dump names an item for each picture; its first ones must be those of the ranking.
names_the_ranking() {
    "$DTRAK" rank "$WORK/demo.db" --query gen:0 --method trak --loss square --top 3 --bottom 3 --csv 2> /dev/null |
        grep -o 'train:[0-9]*' > "$WORK/ranked"
    [ "$(wc -l < "$WORK/ranked")" -ge 6 ] || return 1
    while read -r item; do grep -q "\[$item " "$WORK/$1.txt" || return 1; done < "$WORK/ranked"
}

result() {   # STATUS NAME [FILE]
    if [ "$1" = 0 ]; then echo "ok $2"; return; fi
    echo "not ok $2"
    [ -z "${3:-}" ] || tail -n 8 "$3" | sed 's/^/# /'
}

cp assets/demo.db "$WORK/demo.db"
start_server || { result 1 a_display_without_a_screen "$WORK/xvfb.log"; exit 1; }
for name in xterm mlterm; do
    start_terminal $name
    wait_for 60 probed $name
    result $? "${name}_answers" "$WORK/$name.err"
    grep -q '^sixel *yes' "$WORK/$name.probe"
    result $? "${name}_has_sixels" "$WORK/$name.probe"
    cell=$(sed -n 's/^cell *\([0-9]*x[0-9]*\) .*/\1/p' "$WORK/$name.probe")
    size=$(sed -n 's/^window *\([0-9]*x[0-9]*\) .*/\1/p' "$WORK/$name.probe")
    "$DTRAK" view "$WORK/demo.db" --query gen:0 --screen ranking --read-only --size "$size" --cell "$cell" --graphics none --dump "$WORK/$name.txt" --force
    names_the_ranking $name
    result $? "${name}_stands_for_what_rank_says" "$WORK/$name.txt"
    wait_for 60 shows $name
    result $? "${name}_shows_the_items" "$WORK/$name.compare"
    sed 's/^/# /' "$WORK/$name.compare"
    kill "$terminal"
    wait "$terminal" 2> /dev/null
    terminal=
done
exit 0
