/* app_walk.h - the explorer driven from inside, without a terminal: every place it can
 * show, and keys, clicks and sizes at random.
 *
 * For cmocka tests: a frame that does not hold together fails the test. */
#ifndef TESTS_APP_WALK_H
#define TESTS_APP_WALK_H

#include "../../src/tui/app.h"
#include "dtrak/rng.h"

/* A screen, or what one can be made to show: heat maps in the zoom, pictures in the evaluation. */
struct walk_place { const char *name; void (*go)(struct app *a); };
extern const struct walk_place walk_places[];
extern const size_t walk_place_count;

/* The explorer on a database, 120x36, drawn. */
struct app *walk_open(const char *db);
/* Types text, a frame after each key; '\n' is Enter. */
void walk_type(struct app *a, const char *text);

/* The place as one comes to it: from the gallery, and overlays over the ranking. */
void walk_go_to(struct app *a, const struct walk_place *place);

/* Draws; pictures and what can be clicked have to be on the screen. */
void walk_draw(struct app *a);

void walk_key(struct app *a, uint32_t code, int mods);
/* What a prompt is answered with: a word, then Enter. */
void walk_answer(struct app *a, const char *word);

/* Some key, click or size. */
void walk_press(struct app *a, struct rng *r);
void walk_click(struct app *a, struct rng *r);
void walk_resize(struct app *a, struct rng *r);

/* WALK_SEED, else one of its own; says which. */
uint64_t walk_seed(void);

#endif
