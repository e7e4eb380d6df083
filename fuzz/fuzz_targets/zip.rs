#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| heirloom_fuzz::open_and_read(b"PK\x03\x04", data));
