-- What a follower of models wants to be told, newest first: a feed over facts that are stored anyway.

CREATE VIEW changes AS
SELECT CASE WHEN v.silent THEN 'silent-change' ELSE 'major-version' END AS kind,
       r.id AS source_id, p.id AS package_id, coalesce(r.date, p.crawled_at) AS at,
       p.hub, p.owner, p.name, r.revision, v.version,
       coalesce((SELECT reason ->> 'detail' FROM jsonb_array_elements(v.reasons) reason
                 ORDER BY reason ->> 'kind' <> 'weights' LIMIT 1), '') AS detail
FROM versions v
JOIN revisions r ON r.id = v.revision_id
JOIN packages p ON p.id = r.package_id
WHERE v.silent OR v.bump = 'major'
UNION ALL
SELECT 'contradicted-base', p.id, p.id, coalesce(p.modified_at, p.crawled_at),
       p.hub, p.owner, p.name, p.head, NULL,
       'declares ' || array_to_string(p.base_models, ' and ') || ', which its weights contradict'
FROM packages p
WHERE p.verdict = 'contradicted'
UNION ALL
SELECT 'new-descendant', e.id, p.id, coalesce(c.created_at, e.made_at),
       p.hub, p.owner, p.name, NULL, NULL,
       c.hub || ':' || c.owner || '/' || c.name || ' derives from it (' || e.relation || ', ' || e.technique || ')'
FROM edges e
JOIN packages c ON c.id = e.child_id
JOIN edge_parents ep ON ep.edge_id = e.id
JOIN packages p ON p.id = ep.parent_id;

-- Fuzzy and substring search by index, where the server has the extension and the role may create it.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX packages_trigrams ON packages USING gin (lower(owner || '/' || name) gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'names are searched without pg_trgm: %', SQLERRM;
END $$;
