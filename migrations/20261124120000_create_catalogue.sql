-- The catalogue: packages of hubs, their history, files, fingerprints, lineage and versions.

CREATE TABLE packages (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hub           text NOT NULL,
    owner         text NOT NULL,
    name          text NOT NULL,
    url           text,
    -- base URL (or folder) it was crawled from: weights are read from here again on demand
    endpoint      text NOT NULL,
    -- Newest revision, as the hub names it.
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
    raw           jsonb NOT NULL,
    crawled_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (hub, owner, name)
);
CREATE INDEX packages_full_name ON packages (lower(owner || '/' || name) text_pattern_ops);
CREATE INDEX packages_modified ON packages (modified_at DESC NULLS LAST, id);

CREATE TABLE revisions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package_id  bigint NOT NULL REFERENCES packages ON DELETE CASCADE,
    revision    text NOT NULL,
    -- 0 is the oldest
    position    integer NOT NULL,
    date        timestamptz,
    title       text NOT NULL,
    message     text NOT NULL,
    authors     text[] NOT NULL DEFAULT '{}',
    tags        text[] NOT NULL DEFAULT '{}',
    -- config.json, card, tokenizer, ...: small text files by path
    texts       jsonb NOT NULL DEFAULT '{}',
    -- why the weights could not be fingerprinted, in one sentence
    failure     text,
    UNIQUE (package_id, revision)
);

CREATE TABLE files (
    revision_id bigint NOT NULL REFERENCES revisions ON DELETE CASCADE,
    path        text NOT NULL,
    size        bigint,
    sha256      text,
    blob_id     text,
    PRIMARY KEY (revision_id, path)
);

CREATE TABLE fingerprints (
    revision_id   bigint PRIMARY KEY REFERENCES revisions ON DELETE CASCADE,
    version       smallint NOT NULL,
    level         text NOT NULL CHECK (level IN ('metadata', 'sample', 'full')),
    parameters    bigint NOT NULL,
    bytes         bigint NOT NULL,
    model_digest  text,
    named_digest  text,
    architecture  text NOT NULL,
    data          bytea NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fingerprints_architecture ON fingerprints (architecture);
CREATE INDEX fingerprints_model_digest ON fingerprints (model_digest);

CREATE TABLE tensors (
    revision_id bigint NOT NULL REFERENCES revisions ON DELETE CASCADE,
    name        text NOT NULL,
    dtype       text NOT NULL,
    shape       bigint[] NOT NULL,
    digest      text,
    PRIMARY KEY (revision_id, name)
);
CREATE INDEX tensors_digest ON tensors (digest);

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

CREATE TABLE edge_parents (
    edge_id     bigint NOT NULL REFERENCES edges ON DELETE CASCADE,
    position    integer NOT NULL,
    parent_id   bigint NOT NULL REFERENCES packages ON DELETE CASCADE,
    PRIMARY KEY (edge_id, position)
);
CREATE INDEX edge_parents_parent ON edge_parents (parent_id);

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

CREATE TABLE crawls (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hub         text NOT NULL,
    endpoint    text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    cursor      text,
    packages    bigint NOT NULL DEFAULT 0,
    failures    jsonb NOT NULL DEFAULT '[]'
);
