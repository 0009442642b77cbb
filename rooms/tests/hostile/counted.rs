//! What a piece of work allocates: its peak, and how often; each thread counts for itself.

// An allocator is unsafe by its nature; it hands everything on to the system's.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, counted.
pub struct Counted;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static TIMES: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: isize) {
    // Threads allocate before these exist and after they are gone.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        PEAK.with(|peak| peak.set(peak.get().max(now.get())));
        TIMES.with(|times| times.set(times.get() + u64::from(bytes > 0)));
    });
}

unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: what the caller promises is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: what the caller promises is handed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// What some work allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes at once, at most, above those of before.
    pub peak: usize,
    /// How often.
    pub times: u64,
}

/// Does some work, and tells what it allocated.
pub fn counted<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (before, times) = (NOW.get(), TIMES.get());
    PEAK.set(before);
    let outcome = work();
    (outcome, Cost { peak: usize::try_from(PEAK.get() - before).unwrap_or(0), times: TIMES.get() - times })
}
