// All settings of mainstay.yaml. To add one: declare it here, name it in settings_list.cc, and
// renew docs/settings.md with `mainstay config reference`.
#pragma once

#include <span>
#include <string_view>

#include "config/setting.h"

namespace mainstay::config {

inline constexpr Setting<bool> kDebug{
    {.key = "debug",
     .type = SettingType::boolean,
     .fallback = "false",
     .fallback_in = {"true", "", "", ""},
     .doc =
         "Problems of the HTTP API tell the whole chain of their causes, each with its fields. "
         "They tell of the daemon's inside, so by default only in the environment development."}};

inline constexpr Setting<std::vector<std::string>> kFeatures{
    {.key = "features",
     .type = SettingType::names,
     .fallback = "",
     .fallback_in = {"ai_analysis", "ai_analysis,matrix_instrumentation",
                     "ai_analysis,matrix_instrumentation", "performance_monitoring"},
     .doc = "Names of features that are on in this environment. Agents read them as "
            "`agent.settings.feature(\"…\")`, always those of the daemon that they are linked to; "
            "commands run per item find them in `MAINSTAY_FEATURES`."}};

inline constexpr Setting<std::string> kLogLevel{
    {.key = "log.level",
     .type = SettingType::choice,
     .fallback = "INFO",
     .fallback_in = {"DEBUG", "INFO", "INFO", "WARNING"},
     .choices = "DEBUG,INFO,WARNING,ERROR,CRITICAL",
     .doc = "The least level of Mainstay's own log lines that is kept, and of the lines of agents "
            "that name no level themselves."}};

inline constexpr Setting<std::string> kLogFormat{
    {.key = "log.format",
     .type = SettingType::choice,
     .fallback = "auto",
     .choices = "auto,console,json",
     .doc = "Form of the log lines on stderr: `console` for people, `json` for programs, `auto` "
            "for console on a terminal and JSON elsewhere. Log files are always JSON Lines."}};

inline constexpr Setting<std::int64_t> kLogAgentLines{
    {.key = "log.agent_lines",
     .type = SettingType::integer,
     .fallback = "1000",
     .min = "0",
     .max = "1000000",
     .doc = "Log lines a second that are kept of each agent, and ten times as many at once; 0: "
            "without limit. Lines above that are dropped; a line a second says how many, and "
            "`mainstay_node_dropped_lines_total` counts them."}};

inline constexpr Setting<std::uint64_t> kLogAgentBytes{
    {.key = "log.agent_bytes",
     .type = SettingType::size,
     .fallback = "1MiB",
     .min = "0",
     .max = "1GiB",
     .doc = "The same for the bytes of those lines."}};

inline constexpr Setting<std::string> kHttpListen{
    {.key = "http.listen",
     .type = SettingType::address,
     .fallback = "127.0.0.1:7000",
     .doc = "Where the HTTP API listens. Port 0 takes a free port; the real address is in "
            "`.mainstay/daemon.json`."}};

inline constexpr Setting<bool> kHttpAllowRemote{
    {.key = "http.allow_remote",
     .type = SettingType::boolean,
     .fallback = "false",
     .doc = "Allows `http.listen` to name an address that other machines reach. There is no TLS in "
            "this version: tokens and payloads cross the network in clear. `link.listen` stays on "
            "this machine: its agents run here."}};

inline constexpr Setting<std::vector<std::string>> kHttpAllowedHosts{
    {.key = "http.allowed_hosts",
     .type = SettingType::names,
     .fallback = "",
     .doc = "Names under which the HTTP API may be called, besides localhost and the address it "
            "listens on. Requests with another `Host` or `Origin` are refused."}};

inline constexpr Setting<std::uint64_t> kHttpMaxBody{
    {.key = "http.max_body",
     .type = SettingType::size,
     .fallback = "16MiB",
     .min = "1KiB",
     .max = "64MiB",
     .doc = "The largest request body; larger ones are answered with 413."}};

inline constexpr Setting<Duration> kHttpHeaderTimeout{
    {.key = "http.header_timeout",
     .type = SettingType::duration,
     .fallback = "10s",
     .min = "100ms",
     .max = "5m",
     .doc = "A connection that has not sent its whole request header by then is closed."}};

inline constexpr Setting<std::string> kLinkListen{
    {.key = "link.listen",
     .type = SettingType::address,
     .fallback = "127.0.0.1:7001",
     .may_be_empty = true,
     .doc = "Where agents connect over TCP, besides the Unix socket `.mainstay/link.sock`. Port 0 "
            "takes a free port; empty: the Unix socket only."}};

inline constexpr Setting<std::vector<std::string>> kWorkPhases{
    {.key = "work.phases",
     .type = SettingType::names,
     .fallback = "",
     .doc = "The phases that a work item may name. Empty: items have no phase."}};

inline constexpr Setting<Duration> kWorkTimeout{
    {.key = "work.timeout",
     .type = SettingType::duration,
     .fallback = "10m",
     .min = "0",
     .max = "30d",
     .doc = "Time for one attempt at a work item that names none itself; 0: no limit."}};

inline constexpr Setting<Duration> kWorkIdleTimeout{
    {.key = "work.idle_timeout",
     .type = SettingType::duration,
     .fallback = "0s",
     .min = "0",
     .max = "30d",
     .doc =
         "Time for one attempt since its last progress, where the item names none; 0: no limit."}};

inline constexpr Setting<std::int64_t> kWorkMaxQueued{
    {.key = "work.max_queued",
     .type = SettingType::integer,
     .fallback = "1000000",
     .min = "1",
     .max = "10000000",
     .doc = "Work items that may wait at a time; more are refused with 429."}};

inline constexpr Setting<std::uint64_t> kWorkMaxOpenInput{
    {.key = "work.max_open_input",
     .type = SettingType::size,
     .fallback = "1GiB",
     .min = "64MiB",
     .max = "1TiB",
     .doc =
         "Inputs, together, of work items and runs that have not ended: they are kept in memory. "
         "More are refused with 429."}};

inline constexpr Setting<std::int64_t> kWorkRetryMaxAttempts{
    {.key = "work.retry.max_attempts",
     .type = SettingType::integer,
     .fallback = "3",
     .min = "1",
     .max = "100",
     .doc = "Tries at a work item or stage that names none itself, the first one included."}};

inline constexpr Setting<Duration> kWorkRetryBackoffMin{
    {.key = "work.retry.backoff_min",
     .type = SettingType::duration,
     .fallback = "200ms",
     .min = "1ms",
     .max = "1h",
     .doc =
         "Ceiling of the random wait before the first retry; it doubles with every further one."}};

inline constexpr Setting<Duration> kWorkRetryBackoffMax{
    {.key = "work.retry.backoff_max",
     .type = SettingType::duration,
     .fallback = "30s",
     .min = "1ms",
     .max = "1d",
     .doc = "The longest that the wait before a retry can be."}};

inline constexpr Setting<std::string> kTelemetrySpanPrefix{
    {.key = "telemetry.span_prefix",
     .type = SettingType::text,
     .fallback = "mainstay",
     .max = "100",
     .doc = "Prefix of Mainstay's own span attributes: `<prefix>.stage`, `<prefix>.duration_ms`."}};

/// Every setting, in the order of the reference page.
std::span<const SettingDecl* const> all_settings();
/// nullptr when there is no such key.
const SettingDecl* find_setting(std::string_view key);
std::vector<std::string> setting_keys();

/// A name that Mainstay knows of but does not serve in this version.
struct Unserved {
  std::string_view key;
  std::string_view what;
};

/// The entry of `table` for `key`: the same word, or a word that `key` begins with and a dot.
const Unserved* find_unserved(std::span<const Unserved> table, std::string_view key);
/// Keys of mainstay.yaml that later versions serve.
std::span<const Unserved> unserved_settings();
/// `not served by this version (not_supported): GPUs; …`.
std::string unserved_text(const Unserved& entry);

}  // namespace mainstay::config
