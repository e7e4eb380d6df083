-- Short vectors of weights and the keys that near ones share: the index by which a model's nearest are found.
CREATE TABLE signatures (
    fingerprint_id bigint PRIMARY KEY REFERENCES fingerprints ON DELETE CASCADE,
    -- fingerprint::Signature::to_bytes
    vector         bytea NOT NULL,
    keys           bigint[] NOT NULL
);
-- Reads must not wade through a list of what was written last.
CREATE INDEX signatures_keys ON signatures USING gin (keys) WITH (fastupdate = off);
