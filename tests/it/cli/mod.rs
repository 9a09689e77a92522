//! The command line: the real binary, each test in a `PATCHWORK_HOME` of its own.
