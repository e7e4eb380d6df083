-- The feed of changes and the list of silent ones, newest first, out of indexes: at two million models the view of before sorted every
-- version and every edge (38 s).

-- When a revision was made; where its hub does not say, when it was crawled.
ALTER TABLE versions ADD COLUMN at timestamptz NOT NULL DEFAULT now();
UPDATE versions v SET at = coalesce(r.date, p.crawled_at)
FROM revisions r JOIN packages p ON p.id = r.package_id WHERE r.id = v.revision_id;
CREATE INDEX versions_newest_changes ON versions (at DESC) WHERE silent OR bump = 'major';
CREATE INDEX versions_newest_silent ON versions (at DESC, revision_id DESC) WHERE silent;
DROP INDEX versions_silent;

-- When the child was made; where its hub does not say, when the edge was found.
ALTER TABLE edges ADD COLUMN at timestamptz NOT NULL DEFAULT now();
UPDATE edges e SET at = coalesce(c.created_at, e.made_at) FROM packages c WHERE c.id = e.child_id;
CREATE INDEX edges_newest ON edges (at DESC);

CREATE INDEX packages_newest_contradicted ON packages (coalesce(modified_at, crawled_at) DESC) WHERE verdict = 'contradicted';
CREATE INDEX packages_newest_by_verdict ON packages (verdict, coalesce(modified_at, '-infinity') DESC, id DESC) WHERE verdict IS NOT NULL;
DROP INDEX packages_verdict;

-- One view a source, so that each is read in order and only as far as a page goes.
DROP VIEW changes;

CREATE VIEW version_changes AS
SELECT CASE WHEN v.silent THEN 'silent-change' ELSE 'major-version' END AS kind,
       r.id AS source_id, p.id AS package_id, v.at,
       p.hub, p.owner, p.name, r.revision, v.version,
       coalesce((SELECT reason ->> 'detail' FROM jsonb_array_elements(v.reasons) reason
                 ORDER BY reason ->> 'kind' <> 'weights' LIMIT 1), '') AS detail
FROM versions v
JOIN revisions r ON r.id = v.revision_id
JOIN packages p ON p.id = r.package_id
WHERE v.silent OR v.bump = 'major';

CREATE VIEW verdict_changes AS
SELECT 'contradicted-base' AS kind, p.id AS source_id, p.id AS package_id, coalesce(p.modified_at, p.crawled_at) AS at,
       p.hub, p.owner, p.name, p.head AS revision, NULL::text AS version,
       'declares ' || array_to_string(p.base_models, ' and ') || ', which its weights contradict' AS detail
FROM packages p
WHERE p.verdict = 'contradicted';

CREATE VIEW descendant_changes AS
SELECT 'new-descendant' AS kind, e.id AS source_id, p.id AS package_id, e.at,
       p.hub, p.owner, p.name, NULL::text AS revision, NULL::text AS version,
       c.hub || ':' || c.owner || '/' || c.name || ' derives from it (' || e.relation || ', ' || e.technique || ')' AS detail
FROM edges e
JOIN packages c ON c.id = e.child_id
JOIN edge_parents ep ON ep.edge_id = e.id
JOIN packages p ON p.id = ep.parent_id;

CREATE VIEW changes AS
SELECT * FROM version_changes UNION ALL SELECT * FROM verdict_changes UNION ALL SELECT * FROM descendant_changes;
