//! The stored form: what is written reads back, and what is damaged is refused.

use super::*;
use crate::weights::Severity;

#[test]
fn findings_are_stored_with_the_fingerprint() {
    let mut fingerprint = of(&small_model());
    fingerprint.findings = vec![Finding {
        severity: Severity::Dangerous,
        file: "pytorch_model.bin".into(),
        import: "posix.system".into(),
        called: true,
    }];
    assert_eq!(
        Fingerprint::from_bytes(&fingerprint.to_bytes()).unwrap(),
        fingerprint
    );
}

#[test]
fn the_stored_form_reads_back_and_refuses_damage() {
    let fingerprint = of(&small_model());
    let bytes = fingerprint.to_bytes();
    assert_eq!(Fingerprint::from_bytes(&bytes).unwrap(), fingerprint);
    for end in 0..bytes.len() {
        assert!(Fingerprint::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut other_version = bytes.clone();
    other_version[4] = 99;
    let error = Fingerprint::from_bytes(&other_version).unwrap_err();
    assert_eq!(
        error.to_string(),
        "fingerprint version 99 is not 2; fingerprint the revision again"
    );
    let huge_count = [b"HLFP\x02\x00\x02\x00\x00\x01".as_slice(), &[0xFF; 9], &[0x01]].concat();
    assert!(Fingerprint::from_bytes(&huge_count).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn flipped_bytes_never_panic(seed: u64) {
        let mut bytes = of(&small_model()[2..]).to_bytes();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..4 {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        let _ = Fingerprint::from_bytes(&bytes);
    }

    #[test]
    fn random_bytes_are_refused(bytes: Vec<u8>) {
        let with_magic = [b"HLFP\x02\x00\x02".as_slice(), &bytes].concat();
        let _ = Fingerprint::from_bytes(&with_magic);
        prop_assert!(Fingerprint::from_bytes(&bytes).is_err());
    }
}
