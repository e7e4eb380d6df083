#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| heirloom_fuzz::open_and_read(b"\x89HDF\r\n\x1a\n", data));
