-- Who may see, crawl and administer, how much of it, and what was done.

-- What only those may see whom the hub lets see it.
ALTER TABLE packages ADD COLUMN restricted boolean NOT NULL
    GENERATED ALWAYS AS (gated OR coalesce(raw -> 'private' = 'true'::jsonb, false)) STORED;
CREATE INDEX packages_restricted ON packages (hub, owner, name) WHERE restricted;

ALTER TABLE api_keys DROP CONSTRAINT api_keys_scope_check;
UPDATE api_keys SET scope = 'crawl' WHERE scope = 'write';
ALTER TABLE api_keys
    ADD CHECK (scope IN ('read', 'crawl', 'admin')),
    -- whether it is shown restricted packages
    ADD COLUMN sees_restricted boolean NOT NULL DEFAULT false,
    ADD COLUMN requests_per_minute integer NOT NULL DEFAULT 600 CHECK (requests_per_minute > 0),
    -- of answers; NULL is without a bound
    ADD COLUMN bytes_per_day bigint CHECK (bytes_per_day > 0);

-- Bytes answered to a key on a day (UTC).
CREATE TABLE api_usage (
    key_id bigint NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    day    date NOT NULL,
    bytes  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, day)
);

-- What wrote, spent or was refused.
CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    -- name of the key, `local` for the operator's own machine, `anonymous`
    actor      text NOT NULL,
    -- `POST /api/v1/diffs`, `heirloom user add`
    action     text NOT NULL,
    -- HTTP status; NULL on the command line
    status     smallint,
    request_id text
);
