-- What lists and graphs show of a model and of an edge, each defined once.

CREATE VIEW model_summaries AS
SELECT
    p.id,
    p.hub || ':' || p.owner || '/' || p.name AS reference,
    p.hub, p.owner, p.name, p.url, p.head, p.created_at, p.modified_at, p.architecture, p.task, p.library, p.licence,
    p.downloads, p.likes, p.gated, p.verdict,
    f.parameters,
    newest.version, newest.failure,
    e.relation, e.technique,
    lineage.parents,
    history.revisions, history.silent_changes
FROM packages p
LEFT JOIN LATERAL (
    SELECT v.version, r.failure
    FROM revisions r LEFT JOIN versions v ON v.revision_id = r.id
    WHERE r.package_id = p.id
    ORDER BY r.position DESC LIMIT 1
) newest ON true
LEFT JOIN fingerprints f ON f.id = p.fingerprint_id
LEFT JOIN edges e ON e.child_id = p.id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(q.hub || ':' || q.owner || '/' || q.name ORDER BY ep.position), '{}') AS parents
    FROM edge_parents ep JOIN packages q ON q.id = ep.parent_id
    WHERE ep.edge_id = e.id
) lineage
CROSS JOIN LATERAL (
    SELECT count(*) AS revisions, count(*) FILTER (WHERE v.silent) AS silent_changes
    FROM revisions r LEFT JOIN versions v ON v.revision_id = r.id
    WHERE r.package_id = p.id
) history;

CREATE VIEW edge_summaries AS
SELECT
    e.id, e.child_id, parents.ids AS parent_ids,
    c.hub || ':' || c.owner || '/' || c.name AS child,
    parents.names AS parents,
    e.relation, e.technique, e.params, e.confidence, e.explanation, e.evidence, c.verdict
FROM edges e
JOIN packages c ON c.id = e.child_id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(q.id ORDER BY ep.position), '{}') AS ids,
           coalesce(array_agg(q.hub || ':' || q.owner || '/' || q.name ORDER BY ep.position), '{}') AS names
    FROM edge_parents ep JOIN packages q ON q.id = ep.parent_id
    WHERE ep.edge_id = e.id
) parents;

-- The order of lists: most recently changed first, undated last.
CREATE INDEX packages_newest ON packages (coalesce(modified_at, '-infinity') DESC, id DESC);
