//! The pool hands out aligned blocks that nobody else holds, and takes them back.

use super::*;
use std::sync::mpsc;

fn check_aligned<T: Element>() {
    for len in [0, 1, 3, 16, 17, 1000, 100_000] {
        let buffer = Buffer::<T>::unspecified(len);
        assert_eq!(buffer.len(), len);
        assert_eq!(buffer.as_ptr() as usize % 64, 0, "{len} elements");
    }
}

#[test]
fn blocks_are_aligned() {
    check_aligned::<f32>();
    check_aligned::<f64>();
    check_aligned::<i64>();
    check_aligned::<u8>();
    check_aligned::<bool>();
}

#[test]
fn contents_survive_a_round_trip() {
    let data: Vec<f32> = (0..1000).map(|i| i as f32).collect();
    let buffer = Buffer::from_slice(&data);
    let mut copy = buffer.clone();
    copy[0] = -1.0;
    assert_eq!(&*buffer, &*data);
    assert_eq!(copy[0], -1.0);
    assert_eq!(&*Buffer::from_vec(data.clone()), &*data);
}

#[test]
fn zeroed_and_bool_buffers_do_not_show_old_contents() {
    for _ in 0..10 {
        Buffer::<u8>::unspecified(777).fill(0xff);
        assert!(Buffer::<u8>::zeroed(777).iter().all(|&byte| byte == 0));
        Buffer::<u8>::unspecified(777).fill(0xff);
        assert!(Buffer::<bool>::unspecified(777).iter().all(|&flag| !flag));
    }
}

#[test]
fn a_freed_block_is_handed_out_again() {
    let first = Buffer::<f64>::unspecified(12_345).as_ptr() as usize;
    let second = Buffer::<f64>::unspecified(12_345).as_ptr() as usize;
    assert_eq!(first, second);
}

#[test]
fn live_buffers_do_not_overlap() {
    let mut buffers: Vec<Buffer<u8>> = Vec::new();
    for round in 0..200_usize {
        let len = 1 + round * 37 % 3000;
        let mut buffer = Buffer::<u8>::unspecified(len);
        buffer.fill(round as u8);
        buffers.push(buffer);
        if round % 3 == 0 {
            buffers.swap_remove(round % buffers.len());
        }
    }
    for buffer in &buffers {
        assert!(buffer.iter().all(|byte| *byte == buffer[0]));
    }
}

#[test]
fn blocks_freed_on_another_thread_come_back() {
    const LEN: usize = 54_321; // A class that no other test uses.
    let (sender, receiver) = mpsc::sync_channel::<Buffer<f32>>(1);
    let consumer = std::thread::spawn(move || receiver.iter().map(|buffer| buffer.len()).sum());
    let mut starts = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let buffer = Buffer::<f32>::unspecified(LEN);
        starts.insert(buffer.as_ptr() as usize);
        sender.send(buffer).unwrap();
    }
    drop(sender);
    let total: usize = consumer.join().unwrap();
    assert_eq!(total, 1000 * LEN);
    assert!(starts.len() <= 40, "{} blocks for 3 live buffers", starts.len());
}

#[test]
#[should_panic(expected = "buffer: needs at most")]
fn an_overflowing_request_is_refused() {
    let _ = Buffer::<f64>::unspecified(usize::MAX);
}

#[test]
fn trim_gives_free_blocks_back_and_keeps_live_ones() {
    // Far more than the tests beside this one take and give meanwhile; untouched, and so cheap.
    const LARGE: usize = 512 << 20;
    let buffer = Buffer::from_slice(&[1.0_f32; 4 << 20]);
    drop(Buffer::<u8>::unspecified(LARGE));
    let held = stats().bytes_held;
    assert!(held >= LARGE, "a free block waits for its next owner: {held}");
    trim();
    assert!(stats().bytes_held + LARGE / 2 < held, "{} of {held}", stats().bytes_held);
    assert!(buffer.iter().all(|&x| x == 1.0));
}

#[test]
fn large_buffers_do_not_all_start_at_the_same_place_of_a_page() {
    // Classes that no other test uses.
    for len in [90_000, 300_000, 3_000_000] {
        let buffers: [_; 8] = std::array::from_fn(|_| Buffer::<u8>::zeroed(len));
        let mut places = buffers.each_ref().map(|buffer| buffer.as_ptr() as usize % 4096);
        places.sort_unstable();
        assert!(places[0] < places[7], "{len} bytes: {places:?}");
    }
}
