/* app.h - the explorer's state, shared by its screens.
 *
 * One thread: it reads the store in small steps, draws, and acts on keys.  Work
 * is in jobs.h, decoding in pictures.h, ridge strengths that are not stored in
 * live.h; each calls back only to wake the loop.
 *
 * A screen is a table of functions over this state.  draw() depends on the
 * state and the frame's size alone; what it looks up about items on the way
 * (facts.c) is a cache of what the store says. */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "keys.h"
#include "state.h"

#include "dtrak/comparison.h"
#include "dtrak/databases.h"
#include "dtrak/err.h"
#include "dtrak/frame.h"
#include "dtrak/jobs.h"
#include "dtrak/label_shares.h"
#include "dtrak/lambda.h"
#include "dtrak/method.h"
#include "dtrak/pictures.h"
#include "dtrak/progress.h"
#include "dtrak/report.h"
#include "dtrak/store.h"
#include "dtrak/store_subset.h"
#include "dtrak/survey.h"
#include "dtrak/term.h"
#include "dtrak/trust.h"
#include "dtrak/tui.h"

#include <stddef.h>
#include <stdint.h>

struct app;
struct buf;
struct export_work;
struct listing;
struct live;
struct task;
struct term;

/* --- what the database holds (catalog.c); read at the start and when it changed --- */

/* Items are added at the end; when some go, those after them are counted anew. */
enum same_items { ITEMS_SAME, ITEMS_MORE, ITEMS_OTHER };

/* How well a score set predicts retraining, as stored. */
struct measured {
    int has, in_sweep;            /* in_sweep: lambda is stated, and the same with lambda auto was measured too */
    struct lds_row kind[2];       /* plain, and centred */
    double *per_query;            /* of the plain one */
};

struct catalog {
    struct project project;
    size_t count[SPLIT_COUNT];
    char last[SPLIT_COUNT][65];   /* SHA-256 of the last item's image; "": there is none */
    struct checkpoint_list checkpoints;   /* one per step */
    struct score_set_list scores;
    struct measured *measured;            /* [scores.count] */
    struct feature_set_list features;
    struct stat_set_list stats;
    struct { int read; struct label_list list; int *train; } label;   /* catalog_labels() has them */
    enum same_items items;                /* as against those before it was read again */
    enum method method[METHOD_COUNT];     /* those that exist or can be computed */
    size_t n_methods;
};

/* --- what is shown (setting.c) --- */

struct setting {
    enum method method;
    enum loss loss;
    enum loss chosen;            /* of methods that may have any, while this one has its own */
    int64_t checkpoint;          /* id; 0: there is none */
    char lambda[LAMBDA_TEXT];    /* "": the stored one that store_score_set_find() prefers */
    size_t timesteps, k;         /* of the features; 0, or where nothing is stored of those: the most there are */
};

enum row_state {
    ROW_EMPTY,       /* not looked up, or there is nothing to look up */
    ROW_ABSENT,      /* not computed */
    ROW_BAD,         /* stored, but could not be read: message says why */
    ROW_STORED,
    ROW_LIVE,        /* computed just now from a stored set's kernel or features */
    ROW_WAITING      /* being computed so */
};

struct row {
    enum row_state state;
    struct score_set set;        /* STORED: where it is from; LIVE, WAITING: the set stepped from */
    struct score_set base;       /* a set of the same setting at a stored lambda; id 0: none */
    double lambda_rel, lambda_abs;   /* of what is shown; NAN: none or unknown */
    size_t n;
    float *score;                /* n */
    uint32_t *order;             /* n: training items, highest score first */
    float largest;               /* magnitude */
    uint32_t *list;              /* n_list: places in order that pass the ranking's filter; NULL: all do */
    size_t n_list;
    struct ranked *end[2];       /* ABSENT: what is known of the first places and of the last; see ends.c */
    size_t ends[2];
    struct trust trust;          /* its error bars; n 0: there are none */
    double widest;               /* of the errors */
    unsigned long load;          /* the number of the row_load() that made it */
    char message[240];
    char offer[1024];            /* ABSENT: what setting_offer() says */
};

/* --- items (facts.c) --- */

struct facts {
    struct item_ref ref;
    int known;                   /* 0: the slot is empty; -1: there is no such item */
    int label;
    char name[64];               /* of the label; may be "" */
    char caption[512], original[96], sampler[16], sha256[65];   /* what is longer is cut */
    const char *whole_caption;   /* of an item that is at hand; else NULL */
    uint64_t seed;
    size_t steps, width_px, height_px, image_bytes;
    int64_t checkpoint;
};
enum { FACTS = 2048 };

/* --- the line at the bottom --- */

enum prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_PALETTE, PROMPT_SAVE, PROMPT_EXPORT, PROMPT_RETRAIN, PROMPT_OPEN, PROMPT_NOTE };

/* --- what can be clicked --- */

struct spot { size_t row, col, rows, cols, id; };
enum { SPOTS = 1024 };
/* Ids that no screen uses: an action of the footer, a line of the palette. */
enum { FOOTER_SPOT = 1 << 28, PALETTE_SPOT = 1 << 29 };

struct area { size_t row, col, rows, cols; };

enum { SORT_INDEX, SORT_LABEL, SORT_LDS, GALLERY_SORTS };   /* of the gallery */

/* --- a page of items with their pictures (tiles.c); several screens are one --- */

struct tiles {
    size_t n, cursor;
    size_t across, per_page;     /* of the last draw */
};
struct tile {
    struct item_ref ref;
    char text[48];               /* the line below the picture */
    enum style style;
    double bar;                  /* -1..1 beside the text; NAN: none */
};

/* --- screens --- */

struct screen {
    const char *name;
    enum context context;
    void (*open)(struct app *a);            /* becomes visible; may be NULL */
    void (*draw)(struct app *a, struct frame *f, struct area in);
    int (*act)(struct app *a, enum action k);               /* 0: not mine */
    void (*click)(struct app *a, size_t id, int twice);     /* may be NULL */
    void (*wheel)(struct app *a, int down);                 /* may be NULL */
};
extern const struct screen screen_gallery, screen_ranking, screen_compare, screen_self, screen_evaluation, screen_jobs, screen_set, screen_reverse, screen_overall,
    screen_detail, screen_help, screen_ask, screen_picker;

/* The main screens, to begin with; NULL: none of that name. */
const struct screen *screen_named(const char *name);
#define SCREEN_NAMES "gallery, ranking, compare, self, evaluation, jobs, overall or marked"

enum { STACK = 16 };

/* Where one can go back to. */
struct place {
    const struct screen *screen;
    struct item_ref query, item;   /* item: of the zoom or the reverse screen */
    int has_query, pane;
    size_t cursor[2];              /* of the ranking */
    unsigned generation;           /* of the database */
    unsigned long steps;           /* back and forward so far: what they lead to is no new step */
};

struct app {
    struct tui_options o;
    struct keymap keys;
    struct states *states;       /* of the session; may be NULL */
    struct store *store;         /* NULL before a database was picked: then so are those below */
    struct jobs *jobs;           /* NULL: nothing can be computed */
    struct pictures *pictures;
    struct live *live;           /* NULL as above */
    struct survey *survey;
    struct survey *mapper;       /* heat maps, which take seconds: they keep nothing else waiting */
    uint64_t surveys_ended;
    struct term *term;           /* NULL without a terminal */
    struct frame *frame;
    int done;
    int shows_line;              /* the footer says how fast the line to the terminal is */
    char why_read_only[160];
    int64_t data_version;
    uint64_t file[2];            /* device and number of the file as it was opened */
    int is_replaced;             /* its name means another file now, or none */
    unsigned times_gone;         /* looks in a row that found none */
    uint64_t jobs_ended;
    double looked;               /* when the data version was last asked for */
    struct catalog catalog;
    struct setting setting;
    struct item_ref query;
    int has_query;
    struct row row;
    unsigned long row_loads;
    struct setting asked;        /* what r queued last, while it is not done */
    enum split asked_split;
    int has_asked;
    double image_steps_per_s;    /* images x timesteps x losses per second, as measured; 0: not yet */
    struct facts facts[FACTS];
    double cell_aspect;          /* height of a cell over its width */

    const struct screen *stack[STACK];
    size_t depth;                /* the top one is shown; overlays are screens too */
    struct spot spot[SPOTS];
    size_t n_spots;
    double clicked;              /* for double clicks */
    size_t clicked_id;

    char message[240];           /* in place of the footer until the next key */
    enum style message_style;
    enum prompt prompt;
    char typed[1024];
    int is_suggested;            /* what stands there: the first letter typed takes its place */
    size_t palette_at;           /* the action of the : line that Enter takes */
    char search[128], filter[128];
    struct {                     /* what search.c has looked through */
        char text[128];
        unsigned char *hit[SPLIT_COUNT];      /* [n[split]]; NULL: not yet */
        size_t n[SPLIT_COUNT];
    } found;

    struct {
        enum split split;
        size_t *index, count;    /* items that pass the filter */
        int sort;
        int64_t sorted_by;       /* by LDS: of this score set */
        size_t cursor, top;      /* positions in index; top: first of the page */
        size_t across, per_page; /* of the last draw */
    } gallery;
    struct {
        int pane;                /* 0 proponents, 1 opponents */
        char filter[128];
        unsigned char *pass;     /* [pass_n]: by training item, what its words but scores say; NULL: all pass */
        size_t pass_n;
        size_t cursor[2];
        size_t across, per_page[2];   /* of the last draw; per_page: of either pane */
        struct item_ref nearest; /* to the query, by pixel-cos; if stored */
        float nearest_cos;
        int has_nearest;
    } ranking;
    /* The side that has the keys is setting and row above; the other is here. */
    struct {
        int started, active;     /* 0: the left side has the keys */
        int stale;               /* the other row is to be read again */
        struct setting setting;
        struct row row;
        struct item_ref query;   /* that row is of */
        struct comparison measured;   /* n 0: not both sides are there */
        unsigned long of[2];     /* the loads it was made from */
        size_t cursor;           /* place on either side, from 0 */
        size_t across, per_page; /* of the last draw */
    } compare;
    struct {
        int loaded;              /* list or message is of what stands below */
        int waiting, again;      /* the list is being read; and is to be once more */
        enum loss loss;
        int64_t checkpoint;
        enum report_self_order order;
        struct report_self list; /* n 0: there is none; message says why */
        char message[1200];
        size_t cursor, across, per_page;
    } self;
    struct {
        enum split split;
        int centred;
        size_t cursor, per_page;
        int pairs;               /* the pictures without some items instead of the LDS */
        int sort;
    } evaluation;
    struct {
        int stale;
        struct counterfactual_list list;
        size_t *first;           /* [rows]: where a query's part of the list begins */
        size_t rows, cursor, per_page;
        size_t *column;          /* [list.count]: of each, one of the labels */
        char (*label)[64];       /* [labels]: the columns */
        size_t labels, left, across;
        int boxes;               /* how far they went as box plots, instead of the pictures */
        char message[160];
    } pairs;
    struct {
        struct job_list list;
        size_t cursor, top, per_page;
        int on_export;           /* an export, while it runs, is selected instead */
    } job;
    struct {
        struct item_ref ref;
        int opponents;           /* which queries are listed */
        size_t count;
        struct ranked other[8];
        char message[160];
        char note[512];
        struct detail_number { char name[32], of[64]; double value; } number[8];
        size_t numbers;
        struct detail_near {
            enum { NEAR_WAITING, NEAR_THERE, NEAR_NONE } state;
            struct survey_answer answer;   /* of these kinds it owns nothing */
            double part;
            char message[160];
        } near[2];               /* by pixels, by features */
    } detail;
    struct {                     /* maps.c: heat maps in the zoom */
        int on;                  /* asked for by a key, or implied by the method */
        struct item_ref query, item;
        enum { MAPS_NONE, MAPS_WAITING, MAPS_THERE } state;
        double part, share;
        size_t patch;
        unsigned char *rgba[2];  /* query, item */
        size_t width_px, height_px;
        uint64_t serial;         /* of these pictures */
        char message[240];
    } maps;
    struct {
        unsigned char *on[SPLIT_COUNT];       /* [n[split]]: 1 where the item is marked */
        size_t n[SPLIT_COUNT], count[SPLIT_COUNT];
        unsigned changes;        /* how often reading them again brought others */
    } marks;
    struct {
        struct removal_names lists;
        size_t which;            /* 0: the marked items; else a saved list, from 1 */
        size_t *item;            /* tiles.n training items, ascending or as saved */
        struct tiles tiles;
        int stale;
        char message[160];
    } set;
    /* One training item over all queries. */
    struct {
        struct item_ref ref;
        enum split split;        /* of the queries */
        int opponents, stale;
        struct score_set set;    /* id 0: none, message says why */
        struct survey_answer answer;
        struct item_ref answered;   /* what it is of */
        uint32_t *order;         /* [answer.n] places in the answer, the first to show first */
        float largest;
        double part;             /* of the work, while it is waited for; else < 0 */
        struct tiles tiles;
        char message[240];
    } reverse;
    /* All training items over all queries. */
    struct {
        int stale, sort;
        struct score_set set;
        struct survey_answer answer;
        double *self;            /* [answer.n] */
        int has_self;
        uint32_t *order;
        double part;
        struct tiles tiles;
        char message[240];
    } overall;
    struct { struct place place[64]; size_t at, count; unsigned long steps; } history;
    struct {
        int pending;             /* an image was asked for and is not there */
        int news;                /* it may be by now */
        int64_t checkpoint;
        uint64_t seed;
        size_t steps;
    } generate;
    struct { size_t top, lines, rows; } help;
    struct {
        struct database_list list;
        char *folder;            /* that is listed; NULL: what the command line named */
        size_t cursor, per_page, read;   /* read: files whose facts are known, from the first */
        struct task *task;       /* reads those of the next; NULL: none does */
        struct database_facts *facts;
    } picker;
    struct item_ref noted;       /* what the note being typed is of */
    struct { struct task *task; struct export_work *work; } exporting;   /* NULL: nothing is */
    int export_form;             /* of the last export: the ending of the next name */
    const char *question;
    char asked_text[160];        /* a question that was made up */
    char *wanted;                /* the database that a yes goes over to; NULL: a yes leaves */
    unsigned generation;         /* which database this is, of those shown: a picture's number holds it */
};

/* --- database.c --- */
enum status app_open(struct app **out, const struct tui_options *o);   /* o->db NULL: begins with the picker */
void app_close(struct app *a);          /* NULL is fine */
/* Pictures for a terminal, which work wakes from then on; the terminal stays the caller's. */
enum status app_connect(struct app *a, struct term *t);
void app_disconnect(struct app *a);
/* 1: the database's name means another file now, or none, and that has just been said; nothing
 * is written from then on. */
int app_look_at_file(struct app *a);
/* Whether marks, notes and lists go to the database. */
int app_writes(const struct app *a);
/* Says which jobs were interrupted, and the keys that resume them. */
void app_offer_interrupted(struct app *a);
enum status app_first_query(struct app *a);
void app_go_over(struct app *a);        /* to the database that is wanted; says why it cannot */

/* The key that stands for an action in a text: as it is bound now. */
const char *key_for(const struct app *a, enum action k);   /* why.c */

/* --- picker.c --- */
enum status picker_start(struct app *a);   /* with what the command line named */
void picker_show(struct app *a);           /* over another screen */
void picker_typed(struct app *a, const char *path);
int picker_poll(struct app *a);            /* 1: one more file has been read; without a terminal it waits for that */
void picker_free(struct app *a);

/* --- app.c --- */
void app_draw(struct app *a);
void app_act(struct app *a, enum action k);
void app_key(struct app *a, const struct input_event *key);
void app_mouse(struct app *a, const struct input_event *mouse);
/* Looks at jobs, pictures and the file; 1 when something that shows has changed. */
int app_poll(struct app *a);
enum status app_resize(struct app *a, size_t rows, size_t cols);
void app_leave(struct app *a);   /* asks first while a job runs */
void app_want_database(struct app *a, const char *path);   /* the same before another one is opened */

void app_show(struct app *a, const struct screen *s);   /* a main screen: on top of what was there */
void app_over(struct app *a, const struct screen *s);   /* an overlay */
void app_back(struct app *a);
const struct screen *app_top(const struct app *a);
__attribute__((format(printf, 3, 4)))
void app_say(struct app *a, enum style style, const char *fmt, ...);
void app_spot(struct app *a, size_t row, size_t col, size_t rows, size_t cols, size_t id);
/* The item the keys , . and the screens speak of; loads its row. */
void app_set_query(struct app *a, struct item_ref ref);

/* --- why.c --- */
const char *key_why_not(const struct app *a, enum action k);   /* why a key does nothing now; NULL: it does something */
void key_scores_are_there(struct app *a);                      /* takes back that they were waited for */

/* --- palette.c: the : line --- */
void palette_enter(struct app *a);
void palette_step(struct app *a, int by);
void palette_draw(struct app *a, struct frame *f);   /* over the screen, above the footer */

/* --- script.c: keys from a text --- */
enum status script_run(struct app *a, const char *keys);

/* --- catalog.c --- */
enum status catalog_load(struct app *a);
void catalog_free(struct catalog *c);
/* The labels with their counts; catalog.label.train[i] is then that of training item i, -1:
 * none.  Read when first asked for: that is a look at every item.  When it fails there are none. */
const struct label_list *catalog_labels(struct app *a);
const struct checkpoint *catalog_checkpoint(const struct catalog *c, int64_t id);   /* or NULL */
/* What is known of a score set's LDS; NULL: nothing. */
const struct measured *catalog_measured(const struct catalog *c, int64_t score_set);
/* How well the present setting predicts one query, as a correlation; NAN: not measured. */
double query_lds(const struct app *a, struct item_ref query);
size_t catalog_checkpoint_index(const struct catalog *c, int64_t id);               /* from 0; count: none */

/* --- setting.c, row.c --- */
void setting_start(struct app *a);      /* the first setting: D-TRAK or what there is */
void setting_step_method(struct app *a, int by);
void setting_step_loss(struct app *a, int by);
void setting_follow(struct app *a, struct setting *t);
void setting_step_checkpoint(struct app *a, int by);
void setting_step_lambda(struct app *a, int by);
void row_load(struct app *a);           /* of the present setting and query */
void row_read(struct app *a);           /* the same without what hangs on it, which is: */
void row_changed(struct app *a);        /* the ranking's filter, the gallery's order by LDS, totals over the queries */
void row_free(struct row *r);
/* The labels of its first places, or of its last; empty where it is not of all training items. */
enum status row_label_shares(struct app *a, const struct row *r, int last, struct label_shares *out);
void setting_compute(struct app *a);    /* the r key */
/* Queues scores for a generated item to come: 1; 0: that would take features of the training
 * items, or cannot be done; -1: failed. */
int setting_compute_new(struct app *a);
int setting_is_asked(const struct app *a);   /* r was pressed for it, and its job is not done */
/* Where r does nothing for the present setting, which has no scores: which commands make them, or why none do; else "".
 * row_read() has it done. */
void setting_offer(struct app *a, char *out, size_t size);
/* What r would do, in a few words; how long, when that can be told. */
void setting_estimate(struct app *a, char *out, size_t size);
size_t setting_timesteps(const struct app *a);   /* of the features that r would make */
void setting_name(const struct app *a, char *out, size_t size);   /* "D-TRAK at step 8000" */
double setting_self_influence(struct app *a, size_t train_item);  /* of the row's set; NAN: not stored, or the row is live */
/* The same of several and of other scores, NAN where there is none; 0: there are none at all. */
int setting_self_influences(struct app *a, const struct score_set *scores, size_t first, size_t count, double *values);
/* The stored scores of the present setting for the items of a split, at its lambda or, where
 * that is not stored, at another.  ERR_MISSING. */
enum status setting_find_set(struct app *a, enum split split, struct score_set *out);
/* Of which lambda that set is, "λ auto 0.05", when it is another than the setting's; else "". */
void setting_other_lambda(const struct app *a, const struct score_set *set, char *out, size_t size);

/* --- marks.c --- */
enum status marks_load(struct app *a);     /* from the store; where that is not written, new marks stay in memory */
void marks_free(struct app *a);
int marks_has(const struct app *a, struct item_ref ref);
void marks_toggle(struct app *a, struct item_ref ref);   /* and says so */
enum status marks_set(struct app *a, struct item_ref ref, int on);
/* Exactly these training items, all or none of it. */
enum status marks_replace(struct app *a, const size_t *train, size_t count);

/* --- tiles.c --- */
/* Draws the page with the cursor in a box called title; get() fills in item `at`. */
void tiles_draw(struct app *a, struct frame *f, struct area in, struct tiles *t, const char *title,
                void (*get)(struct app *a, size_t at, struct tile *out));
int tiles_act(struct tiles *t, enum action k);            /* moves; 0: not a movement */
/* The next item that matches the search text. */
void tiles_search(struct app *a, struct tiles *t, int by, void (*get)(struct app *a, size_t at, struct tile *out));

/* --- maps.c --- */
/* Whether the zoom shows heat maps now. */
int maps_shown(const struct app *a);
void maps_toggle(struct app *a);
void maps_free(struct app *a);
/* Both pictures side by side, h rows each and a line below, or what they wait for; w columns each. */
void maps_draw(struct app *a, struct frame *f, size_t row, size_t col, size_t h, size_t w);
/* The pixels behind a key of theirs: as pictures_get(). */
int maps_picture(const struct app *a, uint64_t key, const unsigned char **rgba, size_t *width_px, size_t *height_px);

/* --- detail.c --- */
void detail_open(struct app *a, struct item_ref ref);

/* --- facts.c --- */
const struct facts *facts_of(struct app *a, struct item_ref ref);
void facts_forget(struct app *a);
/* Of an item that is at hand, with what store_items_visit() has of it. */
void facts_of_item(struct facts *f, const struct item *it);
/* "sandal", "label 5" or "". */
void facts_label(const struct facts *f, char *out, size_t size);

/* --- draw.c: pieces that screens share --- */
struct grid { size_t rows, across, image_rows, image_cols, tile_rows, tile_cols; };
/* Tiles of a picture with `text` lines, at least `least` columns wide: pictures as
 * large as `want` of them on the page allow, else as many as there is room for. */
struct grid draw_grid(const struct app *a, size_t rows, size_t cols, size_t text, size_t least,
                      size_t want);
/* Twelve of n items where they can be told apart, else fewer and larger ones. */
struct grid draw_page_grid(const struct app *a, struct area in, size_t n, size_t text);
size_t draw_image_cols(const struct app *a, size_t rows);   /* of a box that tall */
size_t draw_image_rows(const struct app *a, size_t cols);
uint64_t draw_picture_key(const struct app *a, struct item_ref ref);   /* for frame_image() */
struct item_ref draw_picture_ref(uint64_t key);
void draw_image(struct app *a, struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                struct item_ref ref);
/* Shows a tile as selected: caption, side columns and `below` lines under the
 * picture, never the picture. */
void draw_selection(struct frame *f, size_t row, size_t col, const struct grid *g, size_t below);
/* A value from -1 to 1 below a tile's picture; of a selected one the rest of the line is selected too. */
void draw_tile_bar(struct frame *f, size_t row, size_t col, size_t cells, double value, int selected);
void draw_title(struct app *a, struct frame *f);
void draw_footer(struct app *a, struct frame *f);
/* How scores are written so that one column fits them all: scale is a power
 * of ten they are divided by, 0 when it is 1. */
struct score_format { int decimals, scale; };
struct score_format draw_score_format(float largest);
void draw_score(char out[24], struct score_format s, float score);
void draw_error(char out[24], struct score_format s, double se);    /* "±0.41", in the same unit */
void draw_mark(const struct app *a, struct frame *f, size_t row, size_t col, struct item_ref ref);   /* "*" where marked */
void draw_number(char out[24], double x);   /* 3 digits, short */
/* Bytes of text that one line of `cols` cells takes: to the last blank that fits, else what fits. */
size_t draw_line_fit(const char *text, size_t cols);
/* Paragraph: breaks at blanks; returns the rows used (at most rows). */
size_t draw_paragraph(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                      enum style style, const char *text);
/* A paragraph where that set is of another lambda than the setting's, else nothing: the rows used. */
size_t draw_other_lambda(const struct app *a, struct frame *f, size_t row, size_t col, size_t rows, size_t cols, const struct score_set *set);

/* --- history.c --- */
struct place history_here(const struct app *a);
/* After a key or click: notes where it was when that led elsewhere; moved: it was a movement key. */
void history_note(struct app *a, const struct place *before, int moved);
void history_go(struct app *a, int by);

/* --- search.c --- */
int search_finds(struct app *a, struct item_ref ref);   /* the search text is found in it */
void search_forget(struct app *a);      /* the items may have changed */

/* --- filter.c --- */
/* 0 when a word of the filter makes no sense here, and that is said. */
int filter_check(struct app *a, const char *text, int has_scores);
/* pass[item] for all items of a split, by every word that is not about scores. */
enum status filter_items(struct app *a, enum split split, const char *text, unsigned char *pass);
int filter_score(const char *text, float score);   /* the words about scores */
int filter_speaks_of_marks(const char *text);

/* --- export_screen.c: the e key --- */
void export_begin(struct app *a);              /* asks for a name */
void export_next_form(struct app *a);          /* the next ending in what is typed */
size_t export_forms(const struct app *a, char *out, size_t size);   /* ".csv .json"; what the screen can be written as */
void export_named(struct app *a, const char *path);
int export_poll(struct app *a);                /* 1: an export has ended, and that was said */
void export_finish(struct app *a);             /* waits for it */
int export_cancel(struct app *a);              /* 0: none runs */
const char *export_running(const struct app *a, double *part);   /* its path; NULL: none runs */
void export_close(struct app *a);              /* stops it */
enum status reverse_list(struct app *a, struct listing *l);

/* --- note.c: the a key --- */
void note_begin(struct app *a, struct item_ref ref);
void note_typed(struct app *a, const char *text);    /* "": the note goes */
void note_read(struct app *a, struct item_ref ref, char *out, size_t size);   /* "": there is none */

/* --- generate.c: the + key --- */
void generate_new(struct app *a);
void generate_news(struct app *a);      /* a job has ended */

/* --- pairs.c: counterfactual pictures, part of the evaluation screen --- */
void pairs_toggle(struct app *a);
int pairs_act(struct app *a, enum action k);
void pairs_click(struct app *a, size_t id, int twice);
void pairs_draw(struct app *a, struct frame *f, struct area in);
void pairs_free(struct app *a);
/* boxes.c: over all queries, a line per column of the pairs. */
void boxes_draw(struct app *a, struct frame *f, struct area in);

/* --- ends.c: a ranking of which no more than the ends is known --- */
void ends_read(struct app *a, struct row *r);   /* of r->set and the query */
void ends_draw(struct app *a, struct frame *f, struct area in, const struct row *r);

/* --- between screens --- */
void gallery_refilter(struct app *a);
void gallery_marked(struct app *a);     /* a mark changed; the cursor stays at its place, on what moves up to it */
void gallery_step_query(struct app *a, int by);
void gallery_search(struct app *a, int by);
void ranking_search(struct app *a, int by);
void ranking_draw_absent(struct app *a, struct frame *f, struct area in);   /* why there is no ranking */
void compare_search(struct app *a, int by);
void compare_close(struct app *a);      /* frees what it holds */
void self_forget(struct app *a);        /* what there is goes, and the list is read when it is shown */
void self_reread(struct app *a);        /* it is read again when it is shown, and stays until then */
void self_search(struct app *a, int by);
size_t self_count(struct app *a);       /* items of the list, which is read when it is not there; 0: it is not there yet */
struct item_ref ranking_selected(const struct app *a, size_t *rank, float *score, int *has);
void jobs_reload(struct app *a);
/* Its scores over all queries; a query itself is refused with a line. */
void reverse_open(struct app *a, struct item_ref ref);
void reverse_free(struct app *a);
void reverse_search(struct app *a, int by);
void overall_free(struct app *a);
void overall_search(struct app *a, int by);
void set_changed(struct app *a);        /* marks or lists did */
void set_free(struct app *a);
void set_search(struct app *a, int by);
void set_named(struct app *a, enum prompt p, const char *text);   /* what was typed for a save, an export, a retraining */
void app_prompt(struct app *a, enum prompt p, const char *typed);
/* Does a label, id or caption contain text, whatever the case? */
int item_matches(const struct facts *f, const char *text);
int facts_caption_contains(const struct facts *f, const char *text);
int facts_contain(const char *text, const char *part);   /* ASCII letters in either case */
/* The ranking's filter anew: after it, the row or marks changed. */
void ranking_filter(struct app *a, const char *text);
void ranking_refilter(struct app *a);
void ranking_repass(struct app *a);     /* the items or what is marked may have changed */
void ranking_clamp(struct app *a);      /* cursors onto what there is */

#endif
