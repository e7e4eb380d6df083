-- Who may write. As long as there is no key, a server takes anybody's requests (it listens on loopback by default); the first
-- key closes it. Keys themselves are never stored.

CREATE TABLE api_keys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    -- SHA-256 of the key, 32 bytes: keys are random and long, so that a slow hash would add nothing
    digest       bytea NOT NULL UNIQUE,
    scope        text NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);
