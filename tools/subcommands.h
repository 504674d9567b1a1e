#pragma once

namespace pipit {

/// The programs inside `pipit`. argv[0] is "pipit <subcommand>"; each returns the exit code of the process: 0 clean,
/// 1 failed at run, 2 wrong usage.
int run_serve(int argc, char** argv);
int run_query(int argc, char** argv);
int run_check(int argc, char** argv);
int run_tsdb(int argc, char** argv);
int run_test(int argc, char** argv);
int run_alert(int argc, char** argv);
int run_silence(int argc, char** argv);

}  // namespace pipit
