//! wasm-bindgen's test runner, as Cargo's runner for wasm32.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os()).map_err(Into::into)
}
