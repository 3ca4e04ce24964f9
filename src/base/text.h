// Text as people write it: durations (`10s`, `1m30s`), sizes (`512MiB`), nearest names, UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace mainstay::base {

/// `200ms`, `10s`, `1m30s`, `2h`, `7d`; a bare `0` is zero. No sign, no fraction, no space, each
/// unit (d, h, m, s, ms, us) at most once and largest first. nullopt when it is not a duration.
std::optional<Duration> parse_duration(std::string_view text);
/// The shortest exact form that parse_duration reads back, such as `1m30s`; finer than a
/// microsecond is dropped.
std::string duration_to_text(Duration d);
/// For people: `0.3s`, `12s`, `2m 34s`, `1h 05m`.
std::string duration_for_people(Duration d);

/// `512MiB`, `64KiB`, `2GiB`, `1048576`; also `KB`, `MB`, `GB` in powers of 1000. nullopt if not.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// The candidate nearest to `name` by Damerau-Levenshtein distance, if near enough to be a typo.
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& names);

/// Number of edits (insert, delete, replace, swap of neighbours) between two texts.
std::size_t edit_distance(std::string_view a, std::string_view b);

bool is_valid_utf8(std::string_view text);
/// At most max_bytes, cut at a character's edge, with `…` when something was cut.
std::string excerpt(std::string_view text, std::size_t max_bytes);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// `2026-11-21T10:14:39.123456Z` (RFC 3339, always UTC, microseconds).
std::string wall_to_text(Wall wall);
/// RFC 3339 with `Z` or an offset; nullopt when it is not one.
std::optional<Wall> wall_from_text(std::string_view text);

/// Lower-case hexadecimal of raw bytes.
std::string to_hex(std::string_view bytes);

/// A name as users may write it (agents, pipelines, stages, labels): 1 to 63 of [a-z0-9_.-],
/// beginning and ending with a letter or a digit.
bool is_valid_name(std::string_view name);

}  // namespace mainstay::base
