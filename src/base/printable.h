// Words of others (agents, files, a command line) made fit for a terminal: what would move its
// cursor, change its colours, reorder its letters or end its line is shown as what it is. Pure.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::base {

/// On one line. Control characters (C0, DEL, C1), line separators and bidi controls become `\n`,
/// `\x1b`, `\u009b`; bytes that are not UTF-8 become `\xff`. All else stays, so that text which was
/// made printable before is not changed again.
std::string printable(std::string_view text);

/// As printable, of several lines: line feeds and tabs stay.
std::string printable_lines(std::string_view text);

}  // namespace mainstay::base
