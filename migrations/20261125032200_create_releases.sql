-- Release lines: packages of one publisher whose names differ in their version alone (m-v0.1, m-v0.2), and the step from each to the next.

CREATE TABLE releases (
    package_id     bigint PRIMARY KEY REFERENCES packages ON DELETE CASCADE,
    -- owner/name without the version, in lower case
    line           text NOT NULL,
    -- the version in the name
    declared       text NOT NULL,
    -- the release before it, and the step from there; NULL for the first of a line
    predecessor_id bigint REFERENCES packages ON DELETE SET NULL,
    -- the lowest version that the changes ask for, counted from the version that the predecessor declares
    inferred       text,
    bump           text CHECK (bump IN ('none', 'patch', 'minor', 'major')),
    silent         boolean NOT NULL DEFAULT false,
    weights_changed boolean,
    reasons        jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX releases_line ON releases (line);
CREATE INDEX releases_predecessor ON releases (predecessor_id);

-- Where a revision speaks of changed weights; NULL where nothing does. Filled when the package's versions are assigned next.
ALTER TABLE versions ADD COLUMN announced text CHECK (announced IN ('tag', 'name', 'message', 'card'));
UPDATE packages SET versions_due = true;
