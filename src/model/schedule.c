#include "dtrak/schedule.h"

#include "dtrak/mem.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#define PI 3.14159265358979323846

struct schedule {
    struct schedule_config c;
    double *beta, *alpha_bar;      /* [T] */
};

static const char *const names[SCHEDULE_KINDS] = { "linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid",
                                                   "trained_betas" };

const char *schedule_kind_name(enum schedule_kind k) { return names[k]; }

enum schedule_kind schedule_kind_parse(const char *name) {
    for (int k = 0; k < SCHEDULE_TRAINED; k++)
        if (!strcmp(names[k], name)) return (enum schedule_kind)k;
    return SCHEDULE_KINDS;
}

struct schedule_config schedule_config_default(void) {
    return (struct schedule_config){ SCHEDULE_LINEAR, SCHEDULE_T, 1e-4, 2e-2, NULL, 1, 1, 0 };
}

enum status schedule_config_change(struct schedule_config *c, const struct schedule_change *change) {
    int has_betas = change->beta_start > 0 || change->beta_end > 0;
    if (change->kind != SCHEDULE_KINDS) {
        c->kind = change->kind;
        c->betas = NULL;
    }
    if (c->kind == SCHEDULE_TRAINED && (has_betas || change->T))
        return fail(ERR_USAGE, "schedule: its betas are given one by one; only another kind of schedule changes them or their number");
    if (c->kind == SCHEDULE_SQUAREDCOS && has_betas)
        return fail(ERR_USAGE, "schedule: squaredcos_cap_v2 has no first and no last beta to be given");
    if (change->T) c->T = change->T;
    if (change->beta_start > 0) c->beta_start = change->beta_start;
    if (change->beta_end > 0) c->beta_end = change->beta_end;
    return OK;
}

/* --- making one --- */

static double cosine(double u) {
    double c = cos(PI / 2 * (u + .008) / 1.008);
    return c * c;
}

static double beta_at(const struct schedule_config *c, size_t t) {
    double a = c->beta_start, b = c->beta_end, T = (double)c->T, last = c->T > 1 ? T - 1 : 1;
    double root;
    switch (c->kind) {
    case SCHEDULE_LINEAR: return a + (b - a) * (double)t / last;
    case SCHEDULE_SCALED_LINEAR:
        root = sqrt(a) + (sqrt(b) - sqrt(a)) * (double)t / last;
        return root * root;
    case SCHEDULE_SQUAREDCOS: return fmin(1 - cosine(((double)t + 1) / T) / cosine((double)t / T), .999);
    case SCHEDULE_SIGMOID: return a + (b - a) / (1 + exp(6 - 12 * (double)t / last));
    case SCHEDULE_TRAINED: return c->betas[t];
    case SCHEDULE_KINDS: break;
    }
    return NAN;
}

/* Into arrays of c->T. */
static void fill(double *beta, double *alpha_bar, const struct schedule_config *c) {
    double a = 1;
    for (size_t t = 0; t < c->T; t++) {
        beta[t] = beta_at(c, t);
        alpha_bar[t] = a *= 1 - beta[t];
    }
}

static enum status check_config(const struct schedule_config *c) {
    if (c->T < 1 || c->T > SCHEDULE_T_MAX)
        return fail(ERR_RANGE, "schedule: num_train_timesteps is %zu, expected 1 to %d", c->T, SCHEDULE_T_MAX);
    if ((unsigned)c->kind >= SCHEDULE_KINDS || (c->kind == SCHEDULE_TRAINED && !c->betas))
        return fail(ERR_RANGE, "schedule: no such kind of schedule");
    if (c->kind != SCHEDULE_TRAINED && c->kind != SCHEDULE_SQUAREDCOS &&
        !(c->beta_start > 0 && c->beta_start < 1 && c->beta_end > 0 && c->beta_end < 1))
        return fail(ERR_RANGE, "schedule: beta_start %g and beta_end %g, expected numbers between 0 and 1",
                    c->beta_start, c->beta_end);
    if (c->clip && !(c->clip_range > 0 && isfinite(c->clip_range)))
        return fail(ERR_RANGE, "schedule: clip_sample_range is %g, expected a number above 0", c->clip_range);
    return OK;
}

enum status schedule_new(struct schedule **out, const struct schedule_config *c) {
    enum status st = OK;
    *out = NULL;
    TRY(check_config(c));
    struct schedule *s = mem_array(1, sizeof *s);
    if (s) {
        s->beta = mem_array(c->T, sizeof *s->beta);
        s->alpha_bar = mem_array(c->T, sizeof *s->alpha_bar);
    }
    if (!s || !s->beta || !s->alpha_bar) {
        st = fail(ERR_NOMEM, "schedule: out of memory");
        goto done;
    }
    fill(s->beta, s->alpha_bar, c);
    for (size_t t = 0; t < c->T; t++)
        if (!(s->beta[t] > 0 && s->beta[t] < 1)) {
            st = fail(ERR_RANGE, "schedule: beta %zu is %g, expected a number between 0 and 1", t, s->beta[t]);
            goto done;
        }
    /* Down to 1e-38 a float32 alpha_bar is as good as any; below, x_t would be noise alone. */
    if (!(s->alpha_bar[c->T - 1] > 1e-38)) {
        st = fail(ERR_RANGE, "schedule: its betas leave nothing of the image at timestep %zu", c->T - 1);
        goto done;
    }
    s->c = *c;
    s->c.betas = s->beta;
    *out = s;
    s = NULL;
done:
    schedule_free(s);
    return st;
}

void schedule_free(struct schedule *s) {
    if (!s) return;
    mem_free(s->beta);
    mem_free(s->alpha_bar);
    mem_free(s);
}

static double default_beta[SCHEDULE_T], default_alpha_bar[SCHEDULE_T];
static struct schedule default_schedule;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_default(void) {
    struct schedule_config c = schedule_config_default();
    fill(default_beta, default_alpha_bar, &c);
    c.betas = default_beta;
    default_schedule = (struct schedule){ c, default_beta, default_alpha_bar };
}

const struct schedule *schedule_default(void) {
    pthread_once(&once, fill_default);
    return &default_schedule;
}

const struct schedule_config *schedule_get_config(const struct schedule *s) { return &s->c; }

int schedule_equal(const struct schedule *a, const struct schedule *b) {
    return a->c.T == b->c.T && !memcmp(a->beta, b->beta, a->c.T * sizeof *a->beta) && a->c.clip == b->c.clip &&
           (!a->c.clip || !(a->c.clip_range < b->c.clip_range || a->c.clip_range > b->c.clip_range)) &&
           a->c.final_first == b->c.final_first;
}

/* --- using it --- */

size_t schedule_steps(const struct schedule *s) { return s->c.T; }

double schedule_beta(const struct schedule *s, size_t t) {
    assert(t < s->c.T);
    return s->beta[t];
}

double schedule_alpha_bar(const struct schedule *s, size_t t) {
    assert(t < s->c.T);
    return s->alpha_bar[t];
}

double schedule_elbo_weight(const struct schedule *s, size_t t) {
    double beta = schedule_beta(s, t);
    return beta / (2 * (1 - beta) * (1 - schedule_alpha_bar(s, t)));
}

void schedule_noised(const struct schedule *sched, float *x_t, const float *x, const float *noise, size_t n,
                     size_t t) {
    double a = schedule_alpha_bar(sched, t);
    float s = (float)sqrt(a), r = (float)sqrt(1 - a);
    for (size_t i = 0; i < n; i++) x_t[i] = s * x[i] + r * noise[i];
}

size_t schedule_ddim_timestep(const struct schedule *s, size_t steps, size_t i) {
    assert(steps && i < steps && steps <= s->c.T);
    return (steps - 1 - i) * (s->c.T / steps);
}

/* The x_0 that the network predicts for one element, clamped to +-most. */
static double predicted(float x, float eps, double a, double most) {
    double x0 = ((double)x - sqrt(1 - a) * (double)eps) / sqrt(a);
    return x0 < -most ? -most : x0 > most ? most : x0;
}

static double clip_of(const struct schedule *s) { return s->c.clip ? s->c.clip_range : INFINITY; }

void schedule_predicted(const struct schedule *s, float *x0, const float *x, const float *eps, size_t n, size_t t) {
    double a = schedule_alpha_bar(s, t), most = clip_of(s);
    for (size_t i = 0; i < n; i++) x0[i] = (float)predicted(x[i], eps[i], a, most);
}

void schedule_ddim(const struct schedule *s, float *x, const float *eps, const float *noise, size_t n, size_t t,
                   long t_next, double eta) {
    double a = schedule_alpha_bar(s, t), end = s->c.final_first ? s->alpha_bar[0] : 1;
    double next = t_next < 0 ? end : schedule_alpha_bar(s, (size_t)t_next);
    double sigma = eta * sqrt(fmax(0, (1 - next) / (1 - a) * (1 - a / next)));
    double along = sqrt(fmax(0, 1 - next - sigma * sigma)), most = clip_of(s);
    for (size_t i = 0; i < n; i++) {
        double y = sqrt(next) * predicted(x[i], eps[i], a, most) + along * (double)eps[i];
        if (eta > 0) y += sigma * (double)noise[i];
        x[i] = (float)y;
    }
}
