//! How fast BLAKE3 is over chunks of several sizes, on one core: what the chunk's size was chosen by.

use std::time::{Duration, Instant};

fn main() {
    let bytes: Vec<u8> = (0..64u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for kib in [16, 32, 64, 128, 256, 512, 1024] {
        let (mut rounds, start) = (0u64, Instant::now());
        while start.elapsed() < Duration::from_secs(1) {
            for chunk in bytes.chunks(kib << 10) {
                std::hint::black_box(blake3::hash(chunk));
            }
            rounds += 1;
        }
        let rate = (rounds * bytes.len() as u64) as f64 / start.elapsed().as_secs_f64() / 1e9;
        println!("{kib:5} KiB: {rate:.2} GB/s");
    }
    let mut zeros = vec![1u8; 64 << 20];
    zeros.fill(0);
    let start = Instant::now();
    assert!(novacron_transfer::content::is_zero(std::hint::black_box(&zeros)));
    println!("is_zero:  {:.2} GB/s", zeros.len() as f64 / start.elapsed().as_secs_f64() / 1e9);
}
