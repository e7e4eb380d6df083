-- Who is told of changes, and of which.

-- Changes in the order in which they were found. Rows are written by the statement that concludes them; they get their position when
-- they are first looked for (store::watch), one look after the other: positions are in the order of commits, without gaps, and what was
-- read up to a position stays read, which no sequence drawn inside the writing transactions gives.
CREATE TABLE change_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position   bigint UNIQUE,
    -- as in the view changes
    kind       text NOT NULL,
    source_id  bigint NOT NULL,
    package_id bigint NOT NULL REFERENCES packages ON DELETE CASCADE,
    noted_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, source_id, package_id)
);
CREATE INDEX change_log_new ON change_log (id) WHERE position IS NULL;
CREATE INDEX change_log_package ON change_log (package_id);

CREATE FUNCTION note_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_log (kind, source_id, package_id)
    SELECT CASE WHEN NEW.silent THEN 'silent-change' ELSE 'major-version' END, r.id, r.package_id
    FROM revisions r WHERE r.id = NEW.revision_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER INSERT OR UPDATE ON versions
    FOR EACH ROW WHEN (NEW.silent OR NEW.bump = 'major') EXECUTE FUNCTION note_version_change();

CREATE FUNCTION note_contradiction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_log (kind, source_id, package_id) VALUES ('contradicted-base', NEW.id, NEW.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER UPDATE OF verdict ON packages
    FOR EACH ROW WHEN (NEW.verdict = 'contradicted') EXECUTE FUNCTION note_contradiction();

CREATE FUNCTION note_descendant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_log (kind, source_id, package_id) VALUES ('new-descendant', NEW.edge_id, NEW.parent_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER INSERT ON edge_parents
    FOR EACH ROW EXECUTE FUNCTION note_descendant();

CREATE FUNCTION announce_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY heirloom_changes;
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT ON change_log
    FOR EACH STATEMENT EXECUTE FUNCTION announce_changes();

-- Addresses that are told. A secret signs what is sent, so it is kept as it is.
CREATE TABLE webhooks (
    id             uuid PRIMARY KEY,
    -- who made it, as the audit log names them
    actor          text NOT NULL,
    url            text NOT NULL,
    secret         bytea NOT NULL,
    -- what of: NULL and '{}' do not filter
    kinds          text[] NOT NULL DEFAULT '{}',
    hub            text,
    owner          text,
    name           text,
    -- with hub, owner and name: the whole family of that model
    family         boolean NOT NULL DEFAULT false,
    sees_restricted boolean NOT NULL,
    -- changes up to here are in the queue or delivered
    position       bigint NOT NULL,
    -- failed attempts since the last that succeeded
    failures       integer NOT NULL DEFAULT 0,
    last_attempt_at timestamptz,
    -- why the last attempt failed, in one sentence
    last_error     text,
    disabled_at    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);
