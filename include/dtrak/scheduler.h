/* scheduler.h - diffusers' scheduler_config.json, in and out; and the config of
 * a stored checkpoint, which is the network's with the scheduler's inside.
 *
 * A stored config is config.json with one member more where there is more to
 * say: "_dtrak": {"scheduler": {...}, "weights": "BF16", "name": "...",
 * "source": "..."}.  Without it the schedule is the default one. */
#ifndef DTRAK_SCHEDULER_H
#define DTRAK_SCHEDULER_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/json.h"
#include "dtrak/schedule.h"
#include "dtrak/unet.h"

#include <stddef.h>

/* Fields as model_fields_scheduler() has them; what is missing has diffusers'
 * default.  name is used in messages. */
enum status scheduler_read(struct schedule **out, const char *json, size_t len, const char *name);
enum status scheduler_from(struct schedule **out, const struct json *root, const char *name);
/* Appends scheduler_config.json of a DDPMScheduler, or of a DDIMScheduler
 * where the last step ends at alpha_bar_0, which only that one knows. */
void scheduler_write(struct buf *out, const struct schedule *s);

/* What is known of an imported checkpoint; NULL: nothing. */
struct checkpoint_origin { const char *weights, *name, *source; };

/* Either of c and s may be NULL; *s is the caller's to schedule_free(). */
enum status checkpoint_config_read(struct unet_config *c, struct schedule **s, const char *json, const char *name);
void checkpoint_config_write(struct buf *out, const struct unet_config *c, const struct schedule *s,
                             const struct checkpoint_origin *o);
/* The words of an imported checkpoint's origin: its name, "" when it has none,
 * and the precision of its weights as NumPy calls it, or half_weights' where
 * the config does not say. */
void checkpoint_config_words(char name[128], char precision[16], const char *json, int half_weights);

#endif
