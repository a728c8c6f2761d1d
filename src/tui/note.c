/* note.c - the a key: a line of text with an item, kept in the database and shown in the zoom. */
#include "app.h"

#include "dtrak/mem.h"

#include <string.h>

void note_read(struct app *a, struct item_ref ref, char *out, size_t size) {
    char *text = NULL;
    out[0] = 0;
    if (store_note_get(a->store, ref, &text) == OK && text) snprintf(out, size, "%s", text);
    mem_free(text);
}

static int may_write(struct app *a) {
    if (app_writes(a)) return 1;
    app_say(a, STYLE_WARN, "%s", a->is_replaced ? a->why_read_only : "the database is only read: no note can be written");
    return 0;
}

void note_begin(struct app *a, struct item_ref ref) {
    char text[sizeof a->typed];
    if (!may_write(a)) return;
    a->noted = ref;
    note_read(a, ref, text, sizeof text);
    app_prompt(a, PROMPT_NOTE, text);
}

void note_typed(struct app *a, const char *text) {
    char id[32];
    if (!may_write(a)) return;    /* the file may have gone while it was typed */
    item_ref_format(id, a->noted);
    if (store_note_set(a->store, a->noted, text) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_NORMAL, text[0] ? "noted with %s; the zoom shows it" : "%s has no note now", id);
    if (app_top(a) == &screen_detail) note_read(a, a->detail.ref, a->detail.note, sizeof a->detail.note);
}
