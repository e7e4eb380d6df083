#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| heirloom_fuzz::open_and_read(&[0x81, 0xa1], data));
