-- Finding models: by filters, by words, and by names that are nearly right.

-- Words of a model's name, what it is for, and its card.
ALTER TABLE packages ADD COLUMN words tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('english',
    translate(owner || ' ' || name, '-_./', '    ') || ' ' || coalesce(task, '') || ' ' || coalesce(architecture, '') || ' '
    || left(coalesce(card, ''), 100000))) STORED;
CREATE INDEX packages_words ON packages USING gin (words);
CREATE INDEX packages_tags ON packages USING gin (tags);
CREATE INDEX packages_owner ON packages (owner);
CREATE INDEX packages_name ON packages (lower(name) text_pattern_ops);
CREATE INDEX packages_architecture ON packages (architecture);
CREATE INDEX packages_declared ON packages (id) WHERE cardinality(base_models) > 0;
CREATE INDEX fingerprints_parameters ON fingerprints (parameters);

-- A version as numbers that compare in SemVer's order; NULL for a pre-release.
CREATE FUNCTION version_numbers(version text) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN version ~ '^\d{1,15}\.\d{1,15}\.\d{1,15}(\+|$)'
                THEN string_to_array(split_part(version, '+', 1), '.')::bigint[] END
$$;

-- The one filter behind lists and counts; NULL does not filter. Inlined where it is called, so that it costs what its conditions cost.
CREATE FUNCTION matching_models(
    search text, words text, hub text, owner text, relation text, verdict text, task text, library text, licence text,
    architecture text, base text, tag text, min_parameters bigint, max_parameters bigint, min_bytes bigint, max_bytes bigint,
    since timestamptz, before timestamptz, version_from bigint[], version_below bigint[], silent boolean
) RETURNS TABLE (id bigint, at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT p.id, coalesce(p.modified_at, '-infinity')
    FROM packages p
    WHERE ($1 IS NULL OR lower(p.owner || '/' || p.name) LIKE $1)
      AND ($2 IS NULL OR p.words @@ websearch_to_tsquery('english', $2))
      AND ($3 IS NULL OR p.hub = $3)
      AND ($4 IS NULL OR p.owner = $4)
      AND ($5 IS NULL OR EXISTS (SELECT FROM edges e WHERE e.child_id = p.id AND e.relation = $5))
      AND ($6 IS NULL OR p.verdict = $6)
      AND ($7 IS NULL OR p.task = $7)
      AND ($8 IS NULL OR p.library = $8)
      AND ($9 IS NULL OR p.licence = $9)
      AND ($10 IS NULL OR p.architecture = $10)
      -- as an array, which the index over ids takes; a subquery below OR would be asked for each row
      AND ($11 IS NULL OR p.id = ANY (ARRAY(
          SELECT declaring.id FROM packages declaring WHERE declaring.base_models @> ARRAY[$11]
          UNION ALL
          SELECT e.child_id FROM packages b JOIN edge_parents ep ON ep.parent_id = b.id JOIN edges e ON e.id = ep.edge_id
          WHERE b.owner = split_part($11, '/', 1) AND b.owner || '/' || b.name = $11)))
      AND ($12 IS NULL OR p.tags @> ARRAY[$12])
      AND (($13 IS NULL AND $14 IS NULL AND $15 IS NULL AND $16 IS NULL) OR EXISTS (
          SELECT FROM fingerprints f
          WHERE f.id = p.fingerprint_id AND f.parameters >= coalesce($13, f.parameters) AND f.parameters <= coalesce($14, f.parameters)
            AND f.bytes >= coalesce($15, f.bytes) AND f.bytes <= coalesce($16, f.bytes)))
      AND ($17 IS NULL OR p.modified_at >= $17)
      AND ($18 IS NULL OR p.modified_at < $18)
      AND ($19 IS NULL OR (
          SELECT version_numbers(v.version) >= $19 AND ($20 IS NULL OR version_numbers(v.version) < $20)
          FROM revisions r JOIN versions v ON v.revision_id = r.id
          WHERE r.package_id = p.id ORDER BY r.position DESC LIMIT 1))
      AND (NOT $21 OR EXISTS (
          SELECT FROM revisions r JOIN versions v ON v.revision_id = r.id WHERE r.package_id = p.id AND v.silent))
$$;

-- Models whose name is nearly `query`. With pg_trgm by trigrams; without it, names that hold every part of it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE FUNCTION similar_names(query text, most bigint) RETURNS TABLE (id bigint) LANGUAGE sql STABLE AS $f$
            SELECT p.id FROM packages p WHERE lower(p.owner || '/' || p.name) %> lower($1)
            ORDER BY word_similarity(lower($1), lower(p.owner || '/' || p.name)) DESC, p.downloads DESC NULLS LAST, p.id LIMIT $2
        $f$;
    ELSE
        CREATE FUNCTION similar_names(query text, most bigint) RETURNS TABLE (id bigint) LANGUAGE sql STABLE AS $f$
            SELECT p.id FROM packages p
            WHERE (SELECT bool_and(strpos(lower(p.owner || '/' || p.name), part) > 0)
                   FROM regexp_split_to_table(lower($1), '[^[:alnum:]]+') part)
            ORDER BY p.downloads DESC NULLS LAST, p.id LIMIT $2
        $f$;
    END IF;
END $$;
