#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| heirloom_fuzz::open_and_read(b"GGUF\x03\0\0\0", data));
