-- The database of dtrak, schema version 7.  man/dtrak-db.5 says it for people.
-- A change here needs a new version, and a step in migrate.c from the last one.
-- Times are ISO 8601 UTC; splits are 'train', 'val', 'gen'; digests are hex.

CREATE TABLE project (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, channels INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    value_low REAL NOT NULL, value_high REAL NOT NULL,
    origin TEXT NOT NULL, command TEXT NOT NULL,
    program TEXT NOT NULL, created TEXT NOT NULL
) STRICT;

CREATE TABLE label (
    label INTEGER PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE image (
    id INTEGER PRIMARY KEY,
    width INTEGER NOT NULL, height INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE thumb (
    image INTEGER PRIMARY KEY REFERENCES image(id) ON DELETE CASCADE,
    width INTEGER NOT NULL, height INTEGER NOT NULL,
    bytes BLOB NOT NULL, xxh3 INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY,
    step INTEGER NOT NULL, epoch REAL NOT NULL, percent REAL NOT NULL,
    train_loss REAL,
    ema INTEGER NOT NULL, half_weights INTEGER NOT NULL,
    config TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    created TEXT NOT NULL,
    weights BLOB NOT NULL,
    UNIQUE (step, ema)
) STRICT;

CREATE TABLE train_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    config TEXT NOT NULL, step INTEGER NOT NULL,
    sha256 TEXT NOT NULL, updated TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    split TEXT NOT NULL, idx INTEGER NOT NULL,
    label INTEGER, caption TEXT, original TEXT,
    seed INTEGER,
    checkpoint INTEGER REFERENCES checkpoint(id) ON DELETE SET NULL,
    sampler TEXT, steps INTEGER, eta REAL,
    image INTEGER NOT NULL REFERENCES image(id),
    UNIQUE (split, idx)
) STRICT;
CREATE INDEX item_checkpoint ON item(checkpoint, seed) WHERE checkpoint IS NOT NULL;

CREATE TABLE feature_set (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    checkpoint INTEGER NOT NULL REFERENCES checkpoint(id) ON DELETE CASCADE,
    checkpoint_sha256 TEXT NOT NULL,
    split TEXT NOT NULL, loss TEXT NOT NULL,
    timesteps INTEGER NOT NULL, rule TEXT NOT NULL, noise_seed INTEGER NOT NULL,
    projection TEXT NOT NULL, projection_seed INTEGER NOT NULL,
    k INTEGER NOT NULL, nonzeros INTEGER NOT NULL,
    float32 INTEGER NOT NULL, version INTEGER NOT NULL,
    rows INTEGER NOT NULL, block_rows INTEGER NOT NULL, dropped INTEGER NOT NULL DEFAULT 0,
    params TEXT NOT NULL,
    program TEXT NOT NULL, blas_core TEXT NOT NULL, host TEXT NOT NULL,
    threads INTEGER NOT NULL, created TEXT NOT NULL,
    draws INTEGER NOT NULL DEFAULT 1, parts INTEGER NOT NULL DEFAULT 1
) STRICT;

-- Of a set with several parts, part p of block b has the number b * parts + p.
CREATE TABLE feature_block (
    id INTEGER PRIMARY KEY,
    feature_set INTEGER NOT NULL REFERENCES feature_set(id) ON DELETE CASCADE,
    block INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL,
    xxh3 INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (feature_set, block)
) STRICT;

-- Rows first .. first + rows of a set that stay in a file of another program; row r is that of
-- item first + r, or the r-th uint32 of items.  Digests: sample of spread pieces, whole of all.
CREATE TABLE feature_file (
    id INTEGER PRIMARY KEY,
    feature_set INTEGER NOT NULL REFERENCES feature_set(id) ON DELETE CASCADE,
    first INTEGER NOT NULL, rows INTEGER NOT NULL,
    path TEXT NOT NULL, size INTEGER NOT NULL,
    start INTEGER NOT NULL, stride INTEGER NOT NULL, number TEXT NOT NULL,
    zeros INTEGER NOT NULL,
    sample INTEGER NOT NULL, whole INTEGER,
    xxh3 INTEGER NOT NULL, items BLOB NOT NULL,
    UNIQUE (feature_set, first)
) STRICT;

CREATE TABLE kernel (
    id INTEGER PRIMARY KEY,
    feature_set INTEGER NOT NULL REFERENCES feature_set(id) ON DELETE CASCADE,
    part TEXT NOT NULL, split TEXT NOT NULL,
    rows INTEGER NOT NULL, cols INTEGER NOT NULL, float64 INTEGER NOT NULL,
    xxh3 INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (feature_set, part, split)
) STRICT;

-- The eigenbasis of a train feature set.  part is 'matrix' (panels of its lower
-- triangle) until it is complete, then 'values' and 'vectors'.
CREATE TABLE basis (
    id INTEGER PRIMARY KEY,
    feature_set INTEGER NOT NULL UNIQUE REFERENCES feature_set(id) ON DELETE CASCADE,
    n INTEGER NOT NULL, k INTEGER NOT NULL, block_rows INTEGER NOT NULL,
    complete INTEGER NOT NULL, trace REAL,
    program TEXT NOT NULL, blas_core TEXT NOT NULL, host TEXT NOT NULL,
    threads INTEGER NOT NULL, created TEXT NOT NULL
) STRICT;

CREATE TABLE basis_block (
    id INTEGER PRIMARY KEY,
    basis INTEGER NOT NULL REFERENCES basis(id) ON DELETE CASCADE,
    part TEXT NOT NULL, block INTEGER NOT NULL,
    first INTEGER NOT NULL, rows INTEGER NOT NULL,
    xxh3 INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (basis, part, block)
) STRICT;

CREATE TABLE score_set (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    method TEXT NOT NULL, loss TEXT NOT NULL, split TEXT NOT NULL,
    timesteps INTEGER NOT NULL, k INTEGER NOT NULL,
    lambda_spec TEXT NOT NULL, params TEXT NOT NULL,
    version INTEGER NOT NULL, mantissa_bits INTEGER NOT NULL, n INTEGER NOT NULL,
    lambda_rel REAL, lambda_abs REAL, d_eff REAL,
    rows INTEGER NOT NULL, top INTEGER NOT NULL,
    program TEXT NOT NULL, blas_core TEXT NOT NULL, host TEXT NOT NULL,
    threads INTEGER NOT NULL, created TEXT NOT NULL,
    condition REAL, rank INTEGER
) STRICT;

CREATE TABLE score_set_checkpoint (
    score_set INTEGER NOT NULL REFERENCES score_set(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL REFERENCES checkpoint(id),
    PRIMARY KEY (score_set, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE score (
    id INTEGER PRIMARY KEY,
    score_set INTEGER NOT NULL REFERENCES score_set(id) ON DELETE CASCADE,
    query INTEGER NOT NULL,
    format INTEGER NOT NULL,
    xxh3 INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (score_set, query)
) STRICT;

-- rank is 1, 2, ... for proponents and -1, -2, ... for opponents; score is NULL
-- where the whole row is in the table score.
CREATE TABLE score_top (
    score_set INTEGER NOT NULL REFERENCES score_set(id) ON DELETE CASCADE,
    item INTEGER NOT NULL, query INTEGER NOT NULL, rank INTEGER NOT NULL,
    score REAL,
    PRIMARY KEY (score_set, item, query, rank)
) STRICT, WITHOUT ROWID;

-- Error bars of a score set, a row for each query.
CREATE TABLE error_set (
    id INTEGER PRIMARY KEY,
    score_set INTEGER NOT NULL UNIQUE REFERENCES score_set(id) ON DELETE CASCADE,
    blocks INTEGER NOT NULL, projections INTEGER NOT NULL,
    top INTEGER NOT NULL, draws INTEGER NOT NULL,
    params TEXT NOT NULL,
    program TEXT NOT NULL, blas_core TEXT NOT NULL, host TEXT NOT NULL,
    threads INTEGER NOT NULL, created TEXT NOT NULL
) STRICT;

CREATE TABLE error_row (
    id INTEGER PRIMARY KEY,
    error_set INTEGER NOT NULL REFERENCES error_set(id) ON DELETE CASCADE,
    query INTEGER NOT NULL,
    xxh3 INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (error_set, query)
) STRICT;

CREATE TABLE stat_set (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL, key TEXT NOT NULL,
    checkpoint INTEGER REFERENCES checkpoint(id) ON DELETE CASCADE,
    split TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX stat_set_identity ON stat_set(name, key, split, ifnull(checkpoint, 0));

CREATE TABLE item_stat (
    stat_set INTEGER NOT NULL REFERENCES stat_set(id) ON DELETE CASCADE,
    idx INTEGER NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (stat_set, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE embedding (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL, split TEXT NOT NULL,
    rows INTEGER NOT NULL, cols INTEGER NOT NULL,
    origin TEXT NOT NULL, created TEXT NOT NULL,
    xxh3 INTEGER NOT NULL, bytes BLOB NOT NULL,
    UNIQUE (name, split)
) STRICT;

-- What makes retrained networks comparable, as JSON: kind 'train' how subsets are drawn and
-- networks retrained, kind 'eval' where their loss is taken.
CREATE TABLE protocol (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, identity TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL, created TEXT NOT NULL
) STRICT;

-- A network retrained on a part of the training items.  The lease is in milliseconds since 1970.
CREATE TABLE subset (
    id INTEGER PRIMARY KEY,
    protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,
    idx INTEGER NOT NULL, seed INTEGER NOT NULL,
    n INTEGER NOT NULL, size INTEGER NOT NULL,
    members BLOB NOT NULL, xxh3 INTEGER NOT NULL,
    state TEXT NOT NULL,
    train_loss REAL, steps INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '', lease_until INTEGER NOT NULL DEFAULT 0,
    program TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '',
    created TEXT NOT NULL, ended TEXT NOT NULL DEFAULT '',
    UNIQUE (protocol, idx, seed)
) STRICT;

CREATE TABLE subset_state (
    subset INTEGER PRIMARY KEY REFERENCES subset(id) ON DELETE CASCADE,
    step INTEGER NOT NULL, xxh3 INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;

CREATE TABLE subset_weights (
    subset INTEGER PRIMARY KEY REFERENCES subset(id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL, bytes BLOB NOT NULL
) STRICT;

CREATE TABLE subset_output (
    id INTEGER PRIMARY KEY,
    subset INTEGER NOT NULL REFERENCES subset(id) ON DELETE CASCADE,
    protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,
    split TEXT NOT NULL, rows INTEGER NOT NULL,
    xxh3 INTEGER NOT NULL, bytes BLOB NOT NULL,
    UNIQUE (subset, protocol, split)
) STRICT;

CREATE TABLE lds (
    id INTEGER PRIMARY KEY,
    score_set INTEGER NOT NULL REFERENCES score_set(id) ON DELETE CASCADE,
    train_protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,
    eval_protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,
    centred INTEGER NOT NULL, subsets INTEGER NOT NULL, queries INTEGER NOT NULL,
    value REAL NOT NULL, se REAL, low REAL, high REAL, q_eff REAL, ceiling REAL,
    xxh3 INTEGER NOT NULL, per_query BLOB NOT NULL, created TEXT NOT NULL,
    UNIQUE (score_set, train_protocol, eval_protocol, centred)
) STRICT;

CREATE TABLE counterfactual (
    id INTEGER PRIMARY KEY,
    item INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
    subset INTEGER NOT NULL REFERENCES subset(id) ON DELETE CASCADE,
    score_set INTEGER REFERENCES score_set(id) ON DELETE SET NULL,
    label TEXT NOT NULL, removed INTEGER NOT NULL,
    image INTEGER NOT NULL REFERENCES image(id),
    pixel_l2 REAL NOT NULL, pixel_cos REAL NOT NULL, embed_cos REAL,
    params TEXT NOT NULL, created TEXT NOT NULL,
    UNIQUE (item, subset, label)
) STRICT;

CREATE TABLE mark (
    item INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE,
    created TEXT NOT NULL
) STRICT;

CREATE TABLE note (
    item INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE,
    text TEXT NOT NULL, updated TEXT NOT NULL
) STRICT;

CREATE TABLE removal_list (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL, position INTEGER NOT NULL,
    item INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
    created TEXT NOT NULL,
    UNIQUE (name, position)
) STRICT;

-- Lease and heartbeat are in milliseconds since 1970.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, params TEXT NOT NULL,
    state TEXT NOT NULL,
    done REAL NOT NULL DEFAULT 0, total REAL NOT NULL DEFAULT 0,
    what TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT '', lease_until INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL, started TEXT NOT NULL DEFAULT '', ended TEXT NOT NULL DEFAULT '',
    cancel_asked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX job_state ON job(state, id);
