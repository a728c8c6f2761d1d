# make            build ./build/dtrak (never touches the system)
# make demo       everything from a bare Debian 12 to the explorer on the demo database
# make check      everything from a bare Debian 12 to one line "N passed, N failed"
# make install PREFIX=/usr/local DESTDIR=      make uninstall
# make sanitize   the tests under ASan and UBSan     make tsan    under TSan
# make check-screens   what xterm and mlterm show, on a display without a screen
# make layers     who may include whom               make bench   timings (PYTHON=python with torch: beside it)
# make vectors    rewrite tests/vectors with diffusers          make interop   compare with diffusers live
# make demo-db    remake assets/demo.db (hours)           make cifar2   fetch CIFAR-10, keep cars and horses
# make cifar2-db  remake assets/cifar2.db (hours)
# make study-fashion           what every method predicts of retraining, on the shoes (hours); make study-cifar2
# Knobs: CC CFLAGS LDFLAGS  SAN=address,undefined|thread  WERROR=1  V=1
CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
comma    := ,
OUT      := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(findstring clang,$(CC)),-clang)
Q        := $(if $(V),,@)
PKGS     := ncursesw libsixel openblas lapacke sqlite3 zlib libxxhash
STB      := $(shell pkg-config --cflags-only-I stb 2>/dev/null)
PKGCF    := $(filter-out -D%,$(shell pkg-config --cflags $(PKGS) 2>/dev/null)) $(STB)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 $(if $(WERROR),-Werror)
NUMERIC  := -fno-math-errno -fno-trapping-math -ffp-contract=off
VERSION  := 0.1.0
ALL      := -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -DDTRAK_VERSION='"$(VERSION)"' -Iinclude -isystem $(OUT)/gen \
            $(patsubst -I%,-isystem %,$(PKGCF)) $(WARN) $(NUMERIC) -MMD -MP -pthread \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# Kernels compiled per instruction set; the choice is made at run time.
X86      := $(filter x86_64%,$(shell $(CC) -dumpmachine 2>/dev/null))
FLAGS_avx2   := $(if $(X86),-mavx2 -mfma -mf16c)
FLAGS_avx512 := $(if $(X86),-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mf16c)
# Under TSan the register tiles stay plain: they are pure, and hundreds of times slower instrumented.
# What moves the same buffers (plain.c, attention.c, the walker) is instrumented.
variant  = $(if $(findstring thread,$(SAN)),$(if $(filter src/kernels/kernels_%,$<),-fno-sanitize=thread)) $(if $(filter src/kernels/%,$<),-O3) $(if $(findstring _avx512.c,$<),$(FLAGS_avx512),$(if $(findstring _avx2.c,$<),$(FLAGS_avx2)))

SRC      := $(sort $(wildcard src/*/*.c))
LIBSRC   := $(filter-out src/cli/main.c,$(SRC))
OBJ      := $(LIBSRC:%.c=$(OUT)/%.o)
TEST     := $(patsubst tests/unit/%_test.c,$(OUT)/test/%,$(sort $(wildcard tests/unit/*_test.c)))
TESTLIB  := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/lib/*.c)))
BENCH    := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(sort $(wildcard tests/bench/*.c)))

all: $(OUT)/dtrak

$(OUT)/dtrak: $(OUT)/src/cli/main.o $(OBJ)
	$(Q)$(CC) $(CFLAGS) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)
$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ALL) $(variant) -c -o $@ $<
# stb_image's arithmetic on damaged JPEGs (see the file); what it does to memory stays checked.
$(OUT)/src/formats/image_codec.o: ALL += $(if $(SAN),-fno-sanitize=shift -fno-sanitize=signed-integer-overflow)
$(OUT)/libdtrak.a: $(OBJ)
	$(Q)rm -f $@ && ar qcs $@ $^
$(OUT)/test/%: $(OUT)/tests/unit/%_test.o $(TESTLIB) $(OUT)/libdtrak.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ALL) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)
$(OUT)/bench/%: $(OUT)/tests/bench/%.o $(TESTLIB) $(OUT)/libdtrak.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ALL) $(LDFLAGS) -o $@ $^ -lcmocka -lutil $(LIBS)

# The SQL schema is a file of its own; the program carries it as a string.
$(OUT)/gen/schema_sql.h: src/store/schema.sql
	@mkdir -p $(@D)
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $< > $@
$(OUT)/src/store/migrate.o: | $(OUT)/gen/schema_sql.h

# Programs of tests/{cli,e2e,screens}: X_test.c is a test, any other .c a tool for the scripts there.
HELPER   := $(patsubst tests/%.c,$(OUT)/%,$(sort $(wildcard tests/cli/*.c tests/e2e/*.c tests/screens/*.c)))
define helper_rule
$(OUT)/$(1)/%: $(OUT)/tests/$(1)/%.o $(TESTLIB) $(OUT)/libdtrak.a
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $$(ALL) $$(LDFLAGS) -o $$@ $$^ -lcmocka -lutil $$(LIBS)
endef
$(foreach dir,cli e2e screens,$(eval $(call helper_rule,$(dir))))

units: $(TEST) $(HELPER) $(OUT)/dtrak

# --- from a bare Debian 12 ---

# Only deps talks to apt.  What needs the packages runs in a second make, since pkg-config's
# answers are read when a Makefile is read.
DEBS     := build-essential pkg-config libncurses-dev libsixel-dev libstb-dev libopenblas-dev liblapacke-dev \
            libsqlite3-dev zlib1g-dev libxxhash-dev libcmocka-dev
deps:
	@tests/deps.sh $(DEBS) $(MORE_DEBS)

demo: deps
	@$(MAKE) --no-print-directory all && assets/demo.sh $(OUT)
# Terminals to look at; where they cannot be installed without asking, their tests are skipped.
SCREEN_DEBS := xvfb xterm mlterm xfonts-base tmux
check: deps
	@tests/deps.sh $(SCREEN_DEBS) < /dev/null > /dev/null 2>&1 || echo "without $(SCREEN_DEBS): no pictures of real terminals are compared, nor those past tmux"
	@$(MAKE) --no-print-directory -j2 all units && tests/run $(OUT)
# xterm and mlterm on a display without a screen: what they show is what the ranking names.
check-screens:
	@$(MAKE) --no-print-directory MORE_DEBS="$(SCREEN_DEBS)" deps
	@$(MAKE) --no-print-directory -j2 all units && tests/run $(OUT) e2e/headless.sh

# --- other ways to test ---

# Rewrites what is compared as text: screens, and the keys in the manual.  Review the difference.
bless: all units
	@tests/lib/bless-man.sh $(OUT)
	@OUT=$(abspath $(OUT)) DTRAK=$(abspath $(OUT))/dtrak BLESS=1 WORK=$$(mktemp -d) tests/screens/screens.sh > /dev/null
layers:
	@tests/layers.sh --self-test > /dev/null && tests/layers.sh
sanitize:
	@$(MAKE) --no-print-directory -j2 SAN=address,undefined CFLAGS='-O1 -g' all units
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 tests/run build-address-undefined$(if $(findstring clang,$(CC)),-clang)
tsan:
	@$(MAKE) --no-print-directory -j2 SAN=thread CFLAGS='-O1 -g' all units
	TSAN_OPTIONS=halt_on_error=1:suppressions=$(CURDIR)/tests/tsan.supp tests/run build-thread$(if $(findstring clang,$(CC)),-clang)
# make fuzz-json TIME=60: one of tests/fuzz under libFuzzer (clang); make fuzzers builds them all.
FUZZFLAGS := -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize=shift,signed-integer-overflow \
             -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
FUZZSRC  := $(sort $(wildcard src/base/*.c src/formats/*.c))
build-fuzz/%: tests/fuzz/%_fuzz.c $(FUZZSRC)
	@mkdir -p $(@D)
	$(Q)clang $(FUZZFLAGS) $(filter-out -MMD -MP,$(ALL)) -w -o $@ $^ $(LIBS)
# A network's config and weights; what only computes comes from the library as it is.
build-fuzz/model: tests/fuzz/model_fuzz.c $(FUZZSRC) $(addprefix src/pipeline/,network.c scheduler.c model_fields.c) src/model/schedule.c \
                  $(sort $(wildcard src/model/unet*.c)) $(OUT)/libdtrak.a
	@mkdir -p $(@D)
	$(Q)clang $(FUZZFLAGS) $(filter-out -MMD -MP,$(ALL)) -w -o $@ $^ $(LIBS)
fuzzers: $(patsubst tests/fuzz/%_fuzz.c,build-fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
fuzz-%: build-fuzz/%
	@mkdir -p build-fuzz/found-$*
	$< -max_total_time=$(or $(TIME),60) build-fuzz/found-$* tests/fuzz/corpus-$*
bench: $(BENCH) $(OUT)/dtrak
	@for b in $(BENCH); do echo "== $$(basename $$b)"; $$b || exit 1; done
	$(if $(PYTHON),@echo "== beside PyTorch" && $(PYTHON) tests/bench/pytorch.py $(OUT)/bench/engine)

# --- against the real diffusers: a Python environment from PyPI (tests/reference/env.sh), built once ---

VECTORS  ?= tests/vectors
vectors:
	@python=$$(tests/reference/env.sh $(OUT)/py) && $$python tests/reference/make_vectors.py $(VECTORS)
# N=50 SEED=7 SUBJECT='unet model' for other networks than the usual ones.
interop: all units
	@python=$$(tests/reference/env.sh $(OUT)/py) && $$python tests/reference/interop.py --out $(OUT) $(if $(N),--count $(N)) $(if $(SEED),--seed $(SEED)) $(SUBJECT)

# --- data ---

# Both take up where they stopped.
demo-db:
	@$(MAKE) --no-print-directory MORE_DEBS=dataset-fashion-mnist deps
	@$(MAKE) --no-print-directory all && assets/make-demo-db.sh $(OUT)
study-fashion:
	@$(MAKE) --no-print-directory MORE_DEBS=dataset-fashion-mnist deps
	@$(MAKE) --no-print-directory all && assets/make-study-fashion.sh $(OUT)
study-cifar2: deps
	@$(MAKE) --no-print-directory all && assets/make-study-cifar2.sh $(OUT)
cifar2-db: deps
	@$(MAKE) --no-print-directory all && assets/make-cifar2-db.sh $(OUT)
cifar2: deps
	@$(MAKE) --no-print-directory all && assets/make-cifar2.sh $(OUT)

# --- install ---

MAN1     := $(wildcard man/*.1)
MAN5     := $(wildcard man/*.5)
MANDIR   := $(PREFIX)/share/man
BASHDIR  := $(PREFIX)/share/bash-completion/completions
ZSHDIR   := $(PREFIX)/share/zsh/site-functions
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1 $(if $(MAN5),$(DESTDIR)$(MANDIR)/man5)
	install -m 755 $(OUT)/dtrak $(DESTDIR)$(PREFIX)/bin/dtrak
	$(if $(MAN1),install -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1/)
	$(if $(MAN5),install -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5/)
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	$(OUT)/dtrak completion bash > $(DESTDIR)$(BASHDIR)/dtrak
	$(OUT)/dtrak completion zsh > $(DESTDIR)$(ZSHDIR)/_dtrak
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/dtrak $(DESTDIR)$(BASHDIR)/dtrak $(DESTDIR)$(ZSHDIR)/_dtrak
	rm -f $(foreach m,$(MAN1),$(DESTDIR)$(MANDIR)/man1/$(notdir $m))
	rm -f $(foreach m,$(MAN5),$(DESTDIR)$(MANDIR)/man5/$(notdir $m))

clean:
	rm -rf build build-*
.PHONY: vectors interop all units fuzzers deps demo check check-screens bless layers sanitize tsan bench demo-db study-fashion study-cifar2 cifar2 cifar2-db install uninstall clean
.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# Goals that compile need the packages; the others must work without them.
COMPILES := $(if $(MAKECMDGOALS),$(filter-out deps demo check check-screens layers sanitize tsan vectors demo-db study-fashion study-cifar2 cifar2 cifar2-db uninstall clean,$(MAKECMDGOALS)),all)
ifneq ($(COMPILES),)
ifneq ($(shell pkg-config --exists $(PKGS) stb 2>/dev/null && echo yes),yes)
$(error packages are missing: run `make deps`)
endif
endif
