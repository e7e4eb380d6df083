-- The catalogue: packages of hubs, their history, files, fingerprints, lineage and versions.

-- What is known of one set of weights. Revisions (of one package or of several) with the same weight files share one row.
CREATE TABLE fingerprints (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version       smallint NOT NULL,
    level         text NOT NULL CHECK (level IN ('metadata', 'full')),
    -- hex SHA-256 over the content ids of the weight files; NULL where the hub does not give content ids
    weights_key   text,
    parameters    bigint NOT NULL,
    bytes         bigint NOT NULL,
    model_digest  text,
    named_digest  text,
    architecture  text NOT NULL,
    -- Fingerprint::to_bytes: statistics and sketches are read from here
    data          bytea NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (weights_key, level, version)
);
CREATE INDEX fingerprints_architecture ON fingerprints (architecture);
CREATE INDEX fingerprints_model_digest ON fingerprints (model_digest);

CREATE TABLE tensors (
    fingerprint_id bigint NOT NULL REFERENCES fingerprints ON DELETE CASCADE,
    name           text NOT NULL,
    dtype          text NOT NULL,
    shape          bigint[] NOT NULL,
    -- SHA-256, 32 bytes; NULL at level metadata
    digest         bytea,
    PRIMARY KEY (fingerprint_id, name)
);
CREATE INDEX tensors_digest ON tensors (digest);

CREATE TABLE packages (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hub           text NOT NULL,
    owner         text NOT NULL,
    name          text NOT NULL,
    url           text,
    -- base URL (or folder) it was crawled from: weights are read from here again on demand
    endpoint      text NOT NULL,
    -- newest revision whose history and files are stored; NULL until the first crawl of it is complete
    head          text,
    created_at    timestamptz,
    modified_at   timestamptz,
    architecture  text,
    task          text,
    library       text,
    licence       text,
    tags          text[] NOT NULL DEFAULT '{}',
    datasets      text[] NOT NULL DEFAULT '{}',
    papers        text[] NOT NULL DEFAULT '{}',
    downloads     bigint,
    likes         bigint,
    gated         boolean NOT NULL DEFAULT false,
    base_models   text[] NOT NULL DEFAULT '{}',
    base_model_relation text,
    card          text,
    -- confirmed, contradicted, undeclared, unverifiable; NULL when there is nothing to judge
    verdict       text CHECK (verdict IN ('confirmed', 'contradicted', 'undeclared', 'unverifiable')),
    -- what follows from the stored facts and is not yet brought up to date: set with the facts, cleared with the conclusions
    versions_due  boolean NOT NULL DEFAULT true,
    lineage_due   boolean NOT NULL DEFAULT true,
    raw           jsonb NOT NULL,
    crawled_at    timestamptz NOT NULL DEFAULT now(),
    -- of the newest revision that has one
    fingerprint_id bigint REFERENCES fingerprints,
    UNIQUE (hub, owner, name)
);
CREATE INDEX packages_fingerprint ON packages (fingerprint_id);
CREATE INDEX packages_full_name ON packages (lower(owner || '/' || name) text_pattern_ops);
CREATE INDEX packages_modified ON packages (modified_at DESC NULLS LAST, id);
CREATE INDEX packages_base_models ON packages USING gin (base_models);
CREATE INDEX packages_verdict ON packages (verdict) WHERE verdict IS NOT NULL;
CREATE INDEX packages_due ON packages (id) WHERE versions_due OR lineage_due;

CREATE TABLE revisions (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package_id     bigint NOT NULL REFERENCES packages ON DELETE CASCADE,
    revision       text NOT NULL,
    -- 0 is the oldest
    position       integer NOT NULL,
    date           timestamptz,
    title          text NOT NULL,
    message        text NOT NULL,
    authors        text[] NOT NULL DEFAULT '{}',
    tags           text[] NOT NULL DEFAULT '{}',
    -- the weight files chosen to be fingerprinted; empty when there are none that can be read
    weight_files   text[] NOT NULL DEFAULT '{}',
    weights_key    text,
    fingerprint_id bigint REFERENCES fingerprints,
    -- why the weights could not be fingerprinted, in one sentence
    failure        text,
    UNIQUE (package_id, revision)
);
CREATE INDEX revisions_position ON revisions (package_id, position DESC);
CREATE INDEX revisions_fingerprint ON revisions (fingerprint_id);

-- Small text files that say what a revision is (config, card, tokenizer): one row a content, whoever has it.
CREATE TABLE texts (
    -- SHA-256 of the content, 32 bytes
    digest  bytea PRIMARY KEY,
    content text NOT NULL
);

CREATE TABLE files (
    revision_id bigint NOT NULL REFERENCES revisions ON DELETE CASCADE,
    path        text NOT NULL,
    size        bigint,
    sha256      text,
    blob_id     text,
    -- set for the small texts that were kept
    text_digest bytea REFERENCES texts,
    PRIMARY KEY (revision_id, path)
);

CREATE TABLE versions (
    revision_id bigint PRIMARY KEY REFERENCES revisions ON DELETE CASCADE,
    version     text NOT NULL,
    declared    text,
    -- NULL for the first revision
    bump        text CHECK (bump IN ('none', 'patch', 'minor', 'major')),
    silent      boolean NOT NULL DEFAULT false,
    weights_changed boolean,
    reasons     jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX versions_silent ON versions (revision_id) WHERE silent;

CREATE TABLE edges (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    child_id    bigint NOT NULL REFERENCES packages ON DELETE CASCADE,
    relation    text NOT NULL,
    technique   text NOT NULL,
    params      jsonb NOT NULL,
    confidence  double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    explanation text NOT NULL,
    evidence    jsonb NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (child_id)
);
CREATE INDEX edges_relation ON edges (relation, child_id);

CREATE TABLE edge_parents (
    edge_id     bigint NOT NULL REFERENCES edges ON DELETE CASCADE,
    position    integer NOT NULL,
    parent_id   bigint NOT NULL REFERENCES packages ON DELETE CASCADE,
    PRIMARY KEY (edge_id, position)
);
CREATE INDEX edge_parents_parent ON edge_parents (parent_id);

-- One run over a hub's listing. The cursor of the page in work is kept, so that a run that was cut off goes on where it was.
CREATE TABLE crawls (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hub           text NOT NULL,
    endpoint      text NOT NULL,
    author        text,
    search        text,
    package_limit bigint,
    level         text NOT NULL CHECK (level IN ('metadata', 'full')),
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    cursor        text,
    -- names listed in finished pages
    listed        bigint NOT NULL DEFAULT 0,
    packages      bigint NOT NULL DEFAULT 0,
    -- why the crawl itself ended early, in one sentence
    error         text,
    -- [{"package", "reason"}]
    failures      jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX crawls_started ON crawls (started_at DESC);

-- Element-wise comparisons asked for through REST. `a` and `b` name a revision each: hub:owner/name@revision.
CREATE TABLE diffs (
    id          uuid PRIMARY KEY,
    a           text NOT NULL,
    b           text NOT NULL,
    -- 0 when no rank was asked for
    max_rank    integer NOT NULL DEFAULT 0,
    status      text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
    bytes_done  bigint NOT NULL DEFAULT 0,
    bytes_total bigint,
    error       text,
    report      jsonb,
    outcome     jsonb,
    bump        jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (a, b, max_rank)
);
