#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = heirloom_core::fingerprint::Fingerprint::from_bytes(&[b"HLFP\x02\0", data].concat());
});
