//! The migrations are read into the program when it is compiled, which cargo knows
//! of those that were there; a new one must make it compile again, too.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
