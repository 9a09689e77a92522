//! The program `patchwork`; everything is in the library, beginning with [`patchwork::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    patchwork::cli::main()
}
