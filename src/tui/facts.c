/* facts.c - what the store says of single items, remembered. */
#include "app.h"

#include <ctype.h>
#include <string.h>

static size_t slot_of(struct item_ref ref) {
    uint64_t x = ((uint64_t)ref.index << 2 | (uint64_t)ref.split) * 0x9e3779b97f4a7c15u;
    return (size_t)(x >> 40) % FACTS;
}

/* Cut to fit, between two characters. */
static void copy(char *out, size_t size, const char *text) {
    size_t len = text ? strlen(text) : 0;
    if (len >= size) {
        len = size - 1;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80) len--;
    }
    if (len) memcpy(out, text, len);
    out[len] = 0;
}

static void fill(struct facts *f, const struct item *it) {
    f->known = 1;
    f->label = it->label;
    copy(f->name, sizeof f->name, it->label_name);
    copy(f->caption, sizeof f->caption, it->caption);
    copy(f->original, sizeof f->original, it->original);
    copy(f->sampler, sizeof f->sampler, it->sampler);
    copy(f->sha256, sizeof f->sha256, it->sha256);
    f->seed = it->seed;
    f->steps = it->steps;
    f->checkpoint = it->checkpoint;
    f->width_px = it->width_px;
    f->height_px = it->height_px;
    f->image_bytes = it->image_bytes;
}

void facts_of_item(struct facts *f, const struct item *it) {
    f->ref = (struct item_ref){ it->split, it->index };
    fill(f, it);
    f->whole_caption = it->caption;
}

const struct facts *facts_of(struct app *a, struct item_ref ref) {
    struct facts *f = &a->facts[slot_of(ref)];
    struct item_list list = { NULL, 0, NULL };

    if (f->known && f->ref.split == ref.split && f->ref.index == ref.index) return f;
    memset(f, 0, sizeof *f);
    f->ref = ref;
    f->label = -1;
    f->known = -1;
    if (store_items_read(a->store, ref.split, ref.index, 1, &list) == OK && list.count == 1)
        fill(f, &list.item[0]);
    item_list_free(&list);
    return f;
}

void facts_forget(struct app *a) {
    memset(a->facts, 0, sizeof a->facts);
    search_forget(a);
}

void facts_label(const struct facts *f, char *out, size_t size) {
    if (f->name[0]) snprintf(out, size, "%s", f->name);
    else if (f->label >= 0) snprintf(out, size, "label %d", f->label);
    else if (size) out[0] = 0;
}

/* ASCII letters match in either case; other bytes match themselves. */
int facts_contain(const char *text, const char *part) {
    size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] &&
               tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
        if (i == n) return 1;
    }
    return n == 0;
}

int facts_caption_contains(const struct facts *f, const char *text) {
    return facts_contain(f->whole_caption ? f->whole_caption : f->caption, text);
}

int item_matches(const struct facts *f, const char *text) {
    char id[32], label[80];
    item_ref_format(id, f->ref);
    facts_label(f, label, sizeof label);
    /* A number alone means that very item, not every id with these digits. */
    if (*text && text[strspn(text, "0123456789")] == 0) return strcmp(strchr(id, ':') + 1, text) == 0;
    if (strchr(text, ':')) return strcmp(id, text) == 0;
    return facts_contain(label, text) || facts_caption_contains(f, text) || facts_contain(f->original, text);
}
