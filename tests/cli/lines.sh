#!/bin/sh
# No line of a report ends in a blank: what is compared or pasted is the text alone.
. "$(dirname "$0")/../lib/tap.inc"

"$OUT/screens/world" world.db || { says "the database is made" 1; finish; }

# no_blank_ends NAME ARGUMENT...: dtrak prints something, and no such line
no_blank_ends() {
    name=$1
    shift
    "$DTRAK" "$@" > out.txt 2> err.txt < /dev/null
    status=$?
    says "$name" "$([ $status = 0 ] && [ -s out.txt ] && ! grep -q ' $' out.txt && echo 0 || echo 1)" "$(grep -n ' $' out.txt | cat -A; cat err.txt)"
}

no_blank_ends info info world.db
for query in gen:0 gen:3 val:0; do no_blank_ends "rank $query" rank world.db --query $query --loss square; done
no_blank_ends "rank with error bars" rank world.db --query gen:0 --loss simple
no_blank_ends "rank of pixels" rank world.db --query gen:0 --method pixel-cos --top 60 --bottom 60
no_blank_ends compare compare world.db --query gen:0
no_blank_ends "compare of unequal lengths" compare world.db --query gen:0 --top 3
no_blank_ends "self, with the training loss and without the nearest" self world.db
no_blank_ends "neighbours by pixels" neighbours world.db --item train:5 --by pixels
no_blank_ends "neighbours by features" neighbours world.db --item gen:0 --by features
no_blank_ends "counterfactual report" counterfactual world.db --report
no_blank_ends check check world.db
finish
