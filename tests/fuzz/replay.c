/* Runs a fuzz target over saved files, for compilers without libFuzzer:
 * cc replay.c x_fuzz.c libdtrak.a ... ; ./a.out FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) { perror(argv[i]); return 1; }
        size_t max = 1 << 20;
        unsigned char *whole = malloc(max);
        size_t len = whole ? fread(whole, 1, max, f) : 0;
        fclose(f);
        /* An exact copy, so that a sanitizer sees a read past the end. */
        unsigned char *copy = malloc(len ? len : 1);
        if (!whole || !copy) return 1;
        for (size_t k = 0; k < len; k++) copy[k] = whole[k];
        free(whole);
        LLVMFuzzerTestOneInput(copy, len);
        free(copy);
    }
    printf("%d files replayed\n", argc - 1);
    return 0;
}
