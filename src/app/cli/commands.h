// The commands of the CLI: each takes its options and returns the process's exit code.
//
// Exit codes: 0 done; 1 the thing itself failed (a run, an item, a check); 2 bad usage or
// configuration; 3 no daemon; 4 no such thing; 130 interrupted. Data goes to stdout, words for
// people to stderr.
#pragma once

#include <string>
#include <string_view>

#include "app/cli/options.h"
#include "base/error.h"

namespace mainstay::app {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitNoDaemon = 3;
constexpr int kExitNotFound = 4;
constexpr int kExitInterrupted = 130;

struct ExitCode {
  int code;
  const char* meaning;
};
constexpr ExitCode kExitCodes[] = {{kExitDone, "done"},
                                   {kExitFailed, "failed"},
                                   {kExitUsage, "bad usage or configuration"},
                                   {kExitNoDaemon, "no daemon"},
                                   {kExitNotFound, "no such thing"},
                                   {kExitInterrupted, "interrupted"}};

int exit_code_of(const Error& error);
/// Prints `mainstay: MESSAGE` with its causes and hint on stderr; returns the exit code.
int report(const Error& error);
/// Prints an answer in the form asked for; `table` is what it is for `-o table`.
void print(const GlobalOptions& global, std::string_view json, const std::string& table);

int up(const GlobalOptions& global, const UpOptions& options);
int down(const GlobalOptions& global);
int status(const GlobalOptions& global);
int run_pipeline(const GlobalOptions& global, const RunOptions& options);

int agents_list(const GlobalOptions& global, const ListOptions& options);
int agents_show(const GlobalOptions& global, const std::string& name);
int agents_find(const GlobalOptions& global, const FindOptions& options);
int agents_register(const GlobalOptions& global, const RegisterOptions& options);
int agents_renew(const GlobalOptions& global, const RegisterOptions& options);
int agents_deregister(const GlobalOptions& global, const std::string& name);

int work_submit(const GlobalOptions& global, const SubmitOptions& options);
int work_list(const GlobalOptions& global, const ListOptions& options);
int work_show(const GlobalOptions& global, const std::string& id);
int work_wait(const GlobalOptions& global, const std::string& id, Duration reconnect);
int work_cancel(const GlobalOptions& global, const std::string& id, const std::string& reason);

int runs_list(const GlobalOptions& global, const ListOptions& options);
int runs_show(const GlobalOptions& global, const std::string& id);
int runs_cancel(const GlobalOptions& global, const std::string& id, const std::string& reason);
int runs_verify(const GlobalOptions& global, const std::string& id);

int logs_tail(const GlobalOptions& global, const LogsOptions& options);

int doctor(const GlobalOptions& global);
int version(const GlobalOptions& global);

/// The whole command line.
int run_cli(int argc, char** argv);

}  // namespace mainstay::app
