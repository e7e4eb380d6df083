//! Nearest stored weights: recall and latency over synthetic families shaped like a hub's (a few huge, most of one model), and
//! the look-up of a tensor by its digest.
//!
//! `heirloom postgres --throwaway -- cargo bench --bench nearest`: 20,000 signatures; 2 million with HEIRLOOM_BENCH_SCALE=full.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use heirloom::fingerprint::{SIGNATURE_LENGTH, Signature};
use heirloom::store::Store;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::postgres::PgPool;
use std::time::{Duration, Instant};

const QUERIES: usize = 500;
/// How far members are from their family's base: from a light fine-tune to two-bit codes, evenly on a logarithmic scale.
const NEAREST: f32 = 0.002;
const FARTHEST: f32 = 0.3;

type Vector = [f32; SIGNATURE_LENGTH];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("nearest: no DATABASE_URL; run under `heirloom postgres --throwaway -- ...`");
        return;
    };
    let count = match std::env::var("HEIRLOOM_BENCH_SCALE").as_deref() {
        Ok("full") => 2_000_000,
        Ok(count) => count.parse().unwrap_or(20_000),
        Err(_) => 20_000,
    };
    let store = Store::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    let families = families(count);
    fill_signatures(store.pool(), &families).await;
    let found = look_up(&store, &families).await;
    report(&found, count, families.len());
    look_up_tensors(&store, count).await;
    store.close().await;
}

/// Sizes of families: the k-th has a k-th of the largest.
fn families(count: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut left = count;
    while left > 0 {
        let size = (count / 50 / (sizes.len() + 1)).clamp(1, left);
        sizes.push(size);
        left -= size;
    }
    sizes
}

fn random(length: f32, generator: &mut ChaCha8Rng) -> Vector {
    let vector: Vector =
        std::array::from_fn(|_| generator.random_range(-1.0..1.0f32) + generator.random_range(-1.0..1.0f32));
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.map(|value| value * length / norm)
}

/// The base of a family and its members; the first is the base.
fn members(family: usize, size: usize) -> impl Iterator<Item = Signature> {
    let mut generator = ChaCha8Rng::seed_from_u64(family as u64);
    let base = random(1.0, &mut generator);
    (0..size).map(move |index| match index {
        0 => Signature(base),
        _ => relative(&base, &mut generator),
    })
}

fn relative(base: &Vector, generator: &mut ChaCha8Rng) -> Signature {
    let distance = NEAREST * (FARTHEST / NEAREST).powf(generator.random::<f32>());
    let delta = random(distance, generator);
    Signature(std::array::from_fn(|place| base[place] + delta[place]))
}

async fn fill_signatures(pool: &PgPool, families: &[usize]) {
    let started = Instant::now();
    let mut connection = pool.acquire().await.unwrap();
    for statement in [
        "DROP INDEX signatures_keys",
        "ALTER TABLE signatures DROP CONSTRAINT signatures_fingerprint_id_fkey",
    ] {
        sqlx::raw_sql(statement).execute(&mut *connection).await.unwrap();
    }
    let mut copy = connection
        .copy_in_raw("COPY signatures FROM STDIN (FORMAT binary)")
        .await
        .unwrap();
    let mut buffer = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let mut id = 0i64;
    for (family, size) in families.iter().enumerate() {
        for signature in members(family, *size) {
            append_row(&mut buffer, id, &signature);
            id += 1;
        }
        if buffer.len() > 1 << 20 {
            copy.send(std::mem::take(&mut buffer)).await.unwrap();
        }
    }
    buffer.extend((-1i16).to_be_bytes());
    copy.send(buffer).await.unwrap();
    copy.finish().await.unwrap();
    eprintln!(
        "{id} signatures in {} families after {:.0?}",
        families.len(),
        started.elapsed()
    );
    let index = "CREATE INDEX signatures_keys ON signatures USING gin (keys) WITH (fastupdate = off)";
    for statement in ["SET maintenance_work_mem = '1GB'", index, "ANALYZE signatures"] {
        sqlx::raw_sql(statement).execute(&mut *connection).await.unwrap();
    }
    eprintln!("indexed after {:.0?}", started.elapsed());
}

/// One row in Postgres' binary copy format.
fn append_row(buffer: &mut Vec<u8>, id: i64, signature: &Signature) {
    let field = |buffer: &mut Vec<u8>, bytes: &[u8]| {
        buffer.extend((bytes.len() as i32).to_be_bytes());
        buffer.extend(bytes);
    };
    buffer.extend(3i16.to_be_bytes());
    field(buffer, &id.to_be_bytes());
    field(buffer, &signature.to_bytes());
    let keys = signature.keys().concat();
    // One axis, no nulls, elements of type bigint, counted from 1.
    let mut array: Vec<u8> = [1i32, 0, 20, keys.len() as i32, 1]
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    keys.iter().for_each(|key| field(&mut array, &key.to_be_bytes()));
    field(buffer, &array);
}

#[derive(Default)]
struct Found {
    exact: usize,
    /// As near as the nearest, up to a twentieth.
    as_near: usize,
    in_family: usize,
    times: Vec<Duration>,
}

/// Asks for the nearest of new members of random models' families, and compares with all of the family.
async fn look_up(store: &Store, families: &[usize]) -> Found {
    let mut firsts = vec![0usize];
    families
        .iter()
        .for_each(|size| firsts.push(firsts[firsts.len() - 1] + size));
    let mut generator = ChaCha8Rng::seed_from_u64(u64::MAX);
    let mut found = Found::default();
    for _ in 0..QUERIES {
        let model = generator.random_range(0..firsts[families.len()]);
        let family = firsts.partition_point(|first| *first <= model) - 1;
        let members: Vec<Signature> = members(family, families[family]).collect();
        let query = relative(&members[0].0, &mut generator);
        let distances = members.iter().map(|member| query.distance(member));
        let (nearest, distance) = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let started = Instant::now();
        let answers = store.nearest(&query, 64).await.unwrap();
        found.times.push(started.elapsed());
        let Some(first) = answers.first() else { continue };
        let range = firsts[family] as i64..firsts[family + 1] as i64;
        found.exact += usize::from(first.fingerprint_id == (firsts[family] + nearest) as i64);
        found.as_near += usize::from(first.distance <= 1.05 * distance);
        found.in_family += usize::from(range.contains(&first.fingerprint_id));
    }
    found.times.sort();
    found
}

fn report(found: &Found, count: usize, families: usize) {
    let share = |part: usize| 100.0 * part as f64 / QUERIES as f64;
    eprintln!("{QUERIES} queries over {count} signatures in {families} families");
    row(
        "nearest of all, found or one as near within 5 %",
        &format!("{:.1} %", share(found.as_near)),
        "≥ 99 %",
    );
    row(
        "nearest of all, exactly that one",
        &format!("{:.1} %", share(found.exact)),
        "",
    );
    row(
        "a member of the right family comes first",
        &format!("{:.1} %", share(found.in_family)),
        "",
    );
    latency(&format!("nearest among {count}"), &found.times, "< 50 ms");
}

fn latency(what: &str, times: &[Duration], goal: &str) {
    let at = |percent: usize| 1e3 * times[(times.len() - 1) * percent / 100].as_secs_f64();
    row(&format!("{what}, p50"), &format!("{:.2} ms", at(50)), "");
    row(&format!("{what}, p99"), &format!("{:.2} ms", at(99)), goal);
}

fn row(what: &str, measured: &str, goal: &str) {
    println!("| {what} | {measured} | | | {goal} |");
}

/// Which models hold this very tensor? Rows as the catalogue has them, tensors of `count` names.
async fn look_up_tensors(store: &Store, count: usize) {
    const HELD: i64 = 1000;
    let mut connection = store.pool().acquire().await.unwrap();
    // Only what the look-up reads is filled in, so nothing is checked against other tables.
    let statements = [
        "SET session_replication_role = replica".to_owned(),
        format!(
            "INSERT INTO packages (id, hub, owner, name, endpoint, raw) OVERRIDING SYSTEM VALUE
             SELECT n, 'hf', 'o', n::text, 'e', '{{}}' FROM generate_series(1, {HELD}) n"
        ),
        format!(
            "INSERT INTO revisions (id, package_id, revision, position, title, message, fingerprint_id) OVERRIDING SYSTEM VALUE
             SELECT n, n, n::text, 0, '', '', n FROM generate_series(1, {HELD}) n"
        ),
        format!(
            "INSERT INTO tensors SELECT n % {HELD} + 1, n::text, 'F32', '{{8,8}}', sha256(n::text::bytea)
             FROM generate_series(1, {count}) n"
        ),
        "ANALYZE".to_owned(),
    ];
    for statement in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let mut generator = ChaCha8Rng::seed_from_u64(3);
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        let digest: Vec<u8> = sqlx::query_scalar("SELECT sha256($1::text::bytea)")
            .bind(generator.random_range(1..=count).to_string())
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let started = Instant::now();
        let holders = store.tensor_holders(&digest, None, 100).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(holders.len(), 1);
    }
    times.sort();
    latency(
        &format!("which models hold this tensor, of {count} tensors"),
        &times,
        "< 5 ms",
    );
}
