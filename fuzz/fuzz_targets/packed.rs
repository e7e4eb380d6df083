#![no_main]
//! The small tensors beside codes say how to read them: a fixture of each layout, some bytes of it replaced.

const FIXTURES: [&[u8]; 6] = [
    include_bytes!("../../core/src/weights/packing/fixtures/gptq_3bit.safetensors"),
    include_bytes!("../../core/src/weights/packing/fixtures/awq.safetensors"),
    include_bytes!("../../core/src/weights/packing/fixtures/bitsandbytes_nf4_nested.safetensors"),
    include_bytes!("../../core/src/weights/packing/fixtures/hqq_3bit.safetensors"),
    include_bytes!("../../core/src/weights/packing/fixtures/compressed_int4_group.safetensors"),
    include_bytes!("../../core/src/weights/packing/fixtures/compressed_nvfp4.safetensors"),
];

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<(u16, u8)>)| {
    let mut bytes = FIXTURES[usize::from(input.0) % FIXTURES.len()].to_vec();
    for (place, byte) in input.1 {
        let length = bytes.len();
        bytes[usize::from(place) % length] = byte;
    }
    heirloom_fuzz::open_and_read(&[], &bytes);
});
