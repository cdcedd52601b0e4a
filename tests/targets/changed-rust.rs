// Rust's own ABI, and functions that it gives that of C, as changed-signatures.c.
use std::hint::black_box;
use std::io::{Read, Write};

static mut TOTAL: i64 = 0;

// @ dropped ~ changed_rust\S*::dropped\b id=arg1:int code=arg3:int
#[inline(never)]
fn dropped(id: i32, _unused: i32, code: i32) -> i32 {
    unsafe { TOTAL += id as i64 };
    id - code
}

// @ slice ~ changed_rust\S*::slice\b n=arg3:int
#[inline(never)]
fn slice(text: &str, n: i32) -> i32 {
    unsafe { TOTAL += text.len() as i64 };
    n - 2
}

// @ checked ~ changed_rust\S*::checked\b n=arg1:int
#[inline(never)]
fn checked(n: i32, limit: i32) -> Result<i32, i32> {
    if n > limit {
        Err(n)
    } else {
        Ok(n)
    }
}

// @ generic ~ changed_rust\S*::generic\b n=arg1:long
#[inline(never)]
fn generic<T: Into<i64> + Copy>(n: T, _unused: i32) -> i64 {
    let n: i64 = n.into();
    unsafe { TOTAL += n };
    n - 3
}

// @ as_c n=arg1:int m=arg2:int ret=int
#[no_mangle]
#[inline(never)]
pub extern "C" fn as_c(n: i32, m: i32) -> i32 {
    n - m
}

fn main() {
    for i in 0..12 {
        println!("call dropped id={} code={} ret={}", i, i % 3, dropped(black_box(i), i, black_box(i % 3)));
        println!("call slice n={} ret={}", i % 4, slice(black_box("text"), black_box(i % 4)));
        println!("call checked n={} ok={}", i, checked(black_box(i), 5).is_ok());
        println!("call generic n={} ret={}", i, generic(black_box(i as i64), i));
        println!("call as_c n={} m={} ret={}", i, i % 3, as_c(black_box(i), black_box(i % 3)));
    }
    println!("total {}\ndone", unsafe { TOTAL });
    std::io::stdout().flush().unwrap();
    let mut rest = String::new();
    std::io::stdin().read_to_string(&mut rest).unwrap();
}
